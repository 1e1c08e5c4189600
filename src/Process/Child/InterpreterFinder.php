<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

use Reasno\GoTask\Platform\Quietly;

use function dirname;
use function ini_get;

/**
 * Which Python interpreters to try, in which order. None is probed: a version manager's shim alone takes 100 ms. The broker
 * is started with the first, and says itself when something is missing there.
 *
 * @internal
 */
final class InterpreterFinder
{
    private const ENVIRONMENTS = ['.venv', 'venv', 'runtime/gotask/venv'];
    private const USUAL = ['/usr/bin/python3', '/usr/local/bin/python3'];

    /** @var array<string, string> what worked in this process, by the list of candidates that it was among */
    private static array $remembered = [];

    /** @var list<string> */
    private readonly array $candidates;

    /**
     * @param null|string $python a path or a command on PATH; it is then the only candidate, since whoever names an
     *                            interpreter wants that one. Null: the variable GOTASK_PYTHON, which counts as much; else
     *                            the project's virtual environments, `python3` on PATH, and the usual places
     * @param null|string $directory of the project; null: the working directory
     */
    public function __construct(?string $python = null, ?string $directory = null)
    {
        $python ??= getenv('GOTASK_PYTHON') ?: null;
        $this->candidates = $python !== null ? [$python] : self::search($directory ?? (getcwd() ?: '.'));
    }

    /**
     * @return list<string>
     */
    public function candidates(): array
    {
        $known = self::$remembered[$this->key()] ?? null;
        if ($known === null) {
            return $this->candidates;
        }

        return array_values(array_unique([$known, ...$this->candidates]));
    }

    /** The next worker of this process starts with this one. */
    public function remember(string $python): void
    {
        self::$remembered[$this->key()] = $python;
    }

    public static function forget(): void
    {
        self::$remembered = [];
    }

    private function key(): string
    {
        return implode("\0", $this->candidates);
    }

    /**
     * @return list<string>
     */
    private static function search(string $directory): array
    {
        $environments = array_map(static fn (string $name): string => "{$directory}/{$name}/bin/python", self::ENVIRONMENTS);
        if ((string) ini_get('open_basedir') !== '') {
            // Interpreters, and the links of virtual environments to them, can't be seen from here: they are tried.
            $present = array_filter($environments, static fn (string $path): bool => Quietly::call(static fn () => is_dir(dirname($path))));

            return [...array_values($present), 'python3', ...self::USUAL];
        }
        $paths = $environments;
        foreach (explode(PATH_SEPARATOR, (string) getenv('PATH')) as $folder) {
            if ($folder !== '' && is_executable("{$folder}/python3")) {
                $paths[] = "{$folder}/python3";
                break;
            }
        }
        $found = [];
        foreach ([...$paths, ...self::USUAL] as $path) {
            if (is_executable($path)) {
                // By its folder, not its own link: a virtual environment's python links to the system's.
                $found[realpath(dirname($path)) . '/' . basename($path)] ??= $path;
            }
        }

        return array_values($found);
    }
}
