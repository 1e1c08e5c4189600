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

# setup PHP-EXTENSIONS PYTHON-MODULES DEBIAN-PACKAGES USEFUL-DEBIAN-PACKAGES PIP-PACKAGES [composer options]
#
# Useful is what some checks can't be run without, and are skipped where it can't be had.
setup() {
    extensions=$1 modules=$2 packages=$3 useful=$4 pip=$5
    shift 5
    if has_apt; then setup_debian; fi
    php_fits || fail "PHP 8.2 or later with the extensions $extensions is needed: install it with your system's package manager, or set PHP=/path/to/php"
    find_python || make_environment "$pip"
    setup_composer "$@"
}

php_fits() {
    "$PHP" -r '
        foreach (preg_split("/\s+/", $argv[1], -1, PREG_SPLIT_NO_EMPTY) as $name) { extension_loaded($name) || exit(1); }
        exit(PHP_VERSION_ID >= 80200 ? 0 : 1);
    ' "$extensions" 2>/dev/null
}

# Whether a package would bring nothing: it is installed, or what it has is there by other ways, such as another PHP or a virtual environment.
is_there() {
    case $1 in
        iproute2) command -v ip >/dev/null && return ;;
        openssl | valgrind | unzip | composer | chromium | prometheus | redis-server) command -v "$1" >/dev/null && return ;;
        # Another PHP takes no extension of Debian's.
        php-msgpack) [ -n "$php" ] && ! is_debians_php && return ;;
        php*) [ -n "$php" ] && return ;;
        # Another Python takes no package of Debian's.
        *) [ -n "$python" ] && [ "$GOTASK_PYTHON" != /usr/bin/python3 ] && return ;;
    esac
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

is_debians_php() {
    dpkg-query -S "$(readlink -f "$(command -v "$PHP")")" >/dev/null 2>&1
}

# missing PACKAGE…: those of them.
missing() {
    for package; do is_there "$package" || printf ' %s' "$package"; done
}

setup_debian() {
    php='' python=''
    php_fits && php=there
    find_python && python=there
    # shellcheck disable=SC2086 # lists
    needed=$(missing $packages) lacking=$(missing $useful)
    [ -n "$needed$lacking" ] || return 0
    command='apt-get install -y --no-install-recommends'
    if [ "$(id -u)" != 0 ]; then
        told="system packages are missing. An administrator installs them with

    $command$needed$lacking
"
        [ -z "$needed" ] || fail "These $told"
        say "checks will be skipped, because $told"
        return 0
    fi
    say "installing system packages:$needed$lacking"
    export DEBIAN_FRONTEND=noninteractive
    # The package lists may be missing (a fresh container) or out of date.
    $command$needed$lacking >/dev/null 2>&1 || { apt-get update -q && $command$needed$lacking; } && return
    [ -z "$needed" ] || $command$needed || fail "that did not work: $command$needed"
    # One that can't be had keeps none of the others away.
    for package in $lacking; do $command "$package" >/dev/null 2>&1 || true; done
    lacking=$(missing $lacking)
    [ -z "$lacking" ] || say "checks will be skipped, because these can't be had:$lacking"
}

# The first interpreter that has all modules; a version manager's python3 on PATH often has none.
find_python() {
    [ -z "${python_found:-}" ] || return 0
    for candidate in ${GOTASK_PYTHON:-} "$PWD/.venv/bin/python" /usr/bin/python3 python3 /usr/local/bin/python3; do
        # shellcheck disable=SC2086 # a list
        if "$candidate" -c 'import importlib, sys; sys.version_info >= (3, 10) or sys.exit(1); [*map(importlib.import_module, sys.argv[1:])]' $modules 2>/dev/null; then
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
    # Development packages count as more than none, so what is there stays if it is enough. Composer looks at what they need even where it
    # leaves them out: without them, the extensions that matter are those that have been looked for.
    [ $# = 0 ] || set -- "$@" '--ignore-platform-req=ext-*'
    if [ ! -f vendor/autoload.php ] || [ composer.json -nt vendor/autoload.php ] || { [ $# = 0 ] && [ ! -f vendor/bin/phpunit ]; }; then
        say "installing PHP packages with Composer"
        composer install --quiet --no-progress "$@" || fail "that did not work: composer install $*"
        touch vendor/autoload.php
    fi
}
