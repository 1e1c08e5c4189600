# Sourced by bin/quickstart and bin/test: gets this machine ready and says what it does. Nothing is done twice.
#
# On Debian and its kin, missing system packages come from apt-get, for which one has to be root; another user is told the
# command for an administrator. Elsewhere PHP and Composer must be there, and Python packages go to .venv in this folder.
# It leaves the interpreter that has what is needed in $GOTASK_PYTHON and the PHP binary in $PHP.

PHP=${PHP:-php}
export COMPOSER_ALLOW_SUPERUSER=1 COMPOSER_NO_INTERACTION=1 PHP

say() {
    printf '\033[1m==> %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi
}

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

has_apt() {
    [ -f /etc/debian_version ] && command -v apt-get >/dev/null
}

# setup PHP-EXTENSIONS PYTHON-MODULES DEBIAN-PACKAGES PIP-PACKAGES [composer options]
setup() {
    extensions=$1 modules=$2 packages=$3 pip=$4
    shift 4
    if has_apt; then
        setup_debian "$packages"
    elif ! php_fits; then
        fail "PHP 8.2 or later with the extensions $extensions is needed: install it with your system's package manager"
    fi
    find_python || make_environment "$pip"
    setup_composer "$@"
}

php_fits() {
    "$PHP" -r '
        foreach (preg_split("/\s+/", $argv[1], -1, PREG_SPLIT_NO_EMPTY) as $name) { extension_loaded($name) || exit(1); }
        exit(PHP_VERSION_ID >= 80200 ? 0 : 1);
    ' "$extensions" 2>/dev/null
}

# Installs nothing where what is needed is there by other ways: another PHP, a virtual environment.
setup_debian() {
    wanted='' php='' python=''
    php_fits && command -v composer >/dev/null && php=there
    find_python && python=there
    for package in $1; do
        case $package in
            openssl) ! command -v openssl >/dev/null || continue ;;
            php* | unzip | composer) [ -z "$php" ] || continue ;;
            *) [ -z "$python" ] || continue ;;
        esac
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wanted="$wanted $package"
    done
    [ -n "$wanted" ] || return 0
    command="apt-get install -y --no-install-recommends$wanted"
    [ "$(id -u)" = 0 ] || fail "These system packages are missing. An administrator installs them with

    $command
"
    say "installing system packages:$wanted"
    export DEBIAN_FRONTEND=noninteractive
    # The package lists may be missing (a fresh container) or out of date.
    $command >/dev/null 2>&1 || { apt-get update -q && $command; } || fail "that did not work: $command"
    php_fits || fail "$PHP is not PHP 8.2 or later with the extensions $extensions, and apt-get did not change that: set PHP=/path/to/php"
}

# The first interpreter that has all modules; a version manager's python3 on PATH often has none.
find_python() {
    [ -z "${python_found:-}" ] || return 0
    for candidate in ${GOTASK_PYTHON:-} "$PWD/.venv/bin/python" /usr/bin/python3 python3 /usr/local/bin/python3; do
        if "$candidate" -c "import sys; sys.version_info >= (3, 10) or sys.exit(1); import $modules" 2>/dev/null; then
            GOTASK_PYTHON=$(command -v "$candidate")
            export GOTASK_PYTHON
            python_found=1
            return 0
        fi
    done
    return 1
}

make_environment() {
    for candidate in ${GOTASK_PYTHON:-} python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys; sys.version_info >= (3, 10) or sys.exit(1)' 2>/dev/null; then
            say "making a virtual environment, .venv, with $1"
            GOTASK_PYTHON=
            # shellcheck disable=SC2086 # a list
            { "$candidate" -m venv .venv && .venv/bin/python -m pip install --quiet $1; } || fail "that did not work; $1 are needed: install them for an interpreter and set GOTASK_PYTHON to it"
            find_python || fail ".venv lacks one of: $modules"
            return 0
        fi
    done
    fail "Python 3.10 or later is needed, and none was found: install it, or set GOTASK_PYTHON=/path/to/python"
}

setup_composer() {
    command -v composer >/dev/null || fail "Composer is needed: https://getcomposer.org/download/"
    # Development packages count as more than none, so what is there stays if it is enough.
    if [ ! -f vendor/autoload.php ] || [ composer.json -nt vendor/autoload.php ] || { [ $# = 0 ] && [ ! -f vendor/bin/phpunit ]; }; then
        say "installing PHP packages with Composer"
        composer install --quiet --no-progress "$@" || fail "that did not work: composer install $*"
        touch vendor/autoload.php
    fi
}
