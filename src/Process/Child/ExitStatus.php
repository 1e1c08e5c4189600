<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

use function in_array;

/**
 * How a process ended: by its own exit code or by a signal. Both are null where the system no longer knew.
 *
 * @internal
 */
final class ExitStatus
{
    /** The app's file or module was not found. */
    public const APP_NOT_FOUND = 66;

    /** A Python package that is required, or Python's version, is missing. */
    public const PYTHON_UNUSABLE = 69;

    /** The app did not import, or a service's open() failed. */
    public const APP_FAILED = 70;

    /** An address can't be listened on: in use, path too long, no rights. */
    public const ADDRESS_UNUSABLE = 73;

    /** Flags or variables that it does not understand. */
    public const USAGE = 2;
    private const SIGNALS = [
        1 => 'SIGHUP', 2 => 'SIGINT', 3 => 'SIGQUIT', 4 => 'SIGILL', 6 => 'SIGABRT', 7 => 'SIGBUS', 8 => 'SIGFPE',
        9 => 'SIGKILL', 11 => 'SIGSEGV', 13 => 'SIGPIPE', 15 => 'SIGTERM',
    ];

    public function __construct(
        public readonly ?int $code,
        public readonly ?int $signal = null,
    ) {
    }

    /** Whether another start of the same command would only fail the same way until somebody changes something. */
    public function isPermanent(): bool
    {
        return in_array($this->code, [
            self::USAGE, self::APP_NOT_FOUND, self::PYTHON_UNUSABLE, self::APP_FAILED, self::ADDRESS_UNUSABLE,
        ], true);
    }

    /** For a sentence: "exit code 70", "signal 9 (SIGKILL)". */
    public function describe(): string
    {
        if ($this->signal !== null) {
            $name = self::SIGNALS[$this->signal] ?? null;

            return $name === null ? "signal {$this->signal}" : "signal {$this->signal} ({$name})";
        }

        return $this->code === null ? 'an unknown exit code' : "exit code {$this->code}";
    }
}
