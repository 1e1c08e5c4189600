<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

use Reasno\GoTask\Platform\Quietly;

use function is_string;
use function sprintf;

/**
 * An interpreter that can't run the broker, and what would make it able to.
 *
 * @internal
 */
final class UnusableInterpreter
{
    /**
     * @param string $python as it was started
     * @param array<array-key, mixed> $event the broker's last words: "missing" or "unsupported"; "unusable" where it had none
     */
    public function __construct(private readonly string $python, private readonly array $event)
    {
    }

    /** One line: the interpreter, what is missing there, the command that installs it. */
    public function describe(): string
    {
        $real = $this->text('python', $this->python);
        $version = $this->text('version', 'an unknown version');
        $name = $real === $this->python ? $real : "{$this->python} ({$real})";
        if (($this->event['event'] ?? null) === 'unusable') {
            return "{$this->python} can't be run";
        }
        if (($this->event['event'] ?? null) === 'unsupported') {
            return "{$name} is Python {$version}; 3.10 or later is needed";
        }
        $packages = array_values(array_filter((array) ($this->event['packages'] ?? []), is_string(...)));

        return sprintf('%s (Python %s) lacks %s: %s', $name, $version, implode(', ', $packages), self::command($real, $packages));
    }

    /**
     * @param list<string> $packages
     */
    private static function command(string $python, array $packages): string
    {
        // Debian's own interpreter refuses pip (PEP 668) and has its packages from apt.
        if (str_starts_with($python, '/usr/bin/') && Quietly::call(static fn () => is_file('/etc/debian_version'))) {
            $names = array_map(static fn (string $package): string => "python3-{$package}", $packages);

            return 'apt-get install ' . implode(' ', $names);
        }

        return "{$python} -m pip install " . implode(' ', $packages);
    }

    private function text(string $key, string $default): string
    {
        $value = $this->event[$key] ?? null;

        return is_string($value) && $value !== '' ? $value : $default;
    }
}
