<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Throwable;

use function is_int;
use function is_string;

/**
 * The worker died with the call. The method has begun, and is not run again; other calls are not affected.
 */
final class WorkerCrashed extends CallFailed
{
    /** The dead worker's process id. */
    public readonly ?int $pid;

    /** The signal that ended it, if one did. */
    public readonly ?int $signal;

    /** Its exit code, if it ended by itself. */
    public readonly ?int $exitCode;

    /** The last lines that it wrote to its standard error. */
    public readonly string $stderr;

    /**
     * @param array<array-key, mixed> $data `pid`, `signal` or `exit_code`, `stderr`
     */
    public function __construct(string $message, string $method = '', array $data = [], ?Throwable $previous = null)
    {
        parent::__construct($message, $method, $data, $previous);
        $this->pid = self::int($data['pid'] ?? null);
        $this->signal = self::int($data['signal'] ?? null);
        $this->exitCode = self::int($data['exit_code'] ?? null);
        $stderr = $data['stderr'] ?? '';
        $this->stderr = is_string($stderr) ? $stderr : '';
    }

    private static function int(mixed $value): ?int
    {
        return is_int($value) ? $value : null;
    }
}
