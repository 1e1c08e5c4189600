<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Throwable;

use function is_bool;

/**
 * The worker died while it ran the call; this is the crash report. The method has begun, and is not run again; other calls are
 * not affected.
 */
final class WorkerCrashed extends CallEnded
{
    /** The dead worker's process id. */
    public readonly ?int $pid;

    /** The signal that ended it, if one did. */
    public readonly ?int $signal;

    /** Its exit code, if it ended by itself. */
    public readonly ?int $exitCode;

    /** Why the broker ended it: `deadline`, `cancelled`, `memory` …; '': the broker did not. */
    public readonly string $reason;

    /** The most memory that the process has had, in bytes; null where that is not known. */
    public readonly ?int $peakMemory;

    /** Whether the kernel's out-of-memory killer ended it; null where that can't be known, or it was not killed. */
    public readonly ?bool $outOfMemory;

    /** The last lines that it wrote to its standard error. */
    public readonly string $stderr;

    /**
     * @param array<array-key, mixed> $data `call`, `stack`, `pid`, `signal` or `exit_code`, `reason`, `peak_memory`, `oom`, `stderr`
     */
    public function __construct(string $message, string $method = '', array $data = [], ?Throwable $previous = null)
    {
        parent::__construct($message, $method, $data, $previous);
        $this->pid = self::integer($data, 'pid');
        $this->signal = self::integer($data, 'signal');
        $this->exitCode = self::integer($data, 'exit_code');
        $this->reason = self::text($data, 'reason');
        $this->peakMemory = self::integer($data, 'peak_memory');
        $this->outOfMemory = is_bool($data['oom'] ?? null) ? $data['oom'] : null;
        $this->stderr = self::text($data, 'stderr');
    }
}
