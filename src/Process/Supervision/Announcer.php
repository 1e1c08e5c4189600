<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Supervision;

use Closure;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Child\WorkerState;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\Generation;
use Reasno\GoTask\Process\Status\StatusFile;
use Reasno\GoTask\Process\Status\UnixSocket;
use Reasno\GoTask\Process\Status\WorkerStatus;

/**
 * Tells others how a supervised process is, by its status files.
 *
 * @internal
 */
final class Announcer
{
    /** Seconds that a predecessor whose supervisor was killed gets to end. */
    private const PREDECESSOR = 1.5;

    /** Nanoseconds between two looks whether the status files are still there. */
    private const LOOK = 500_000_000;

    private WorkerState $state = WorkerState::Ended;

    private Availability $availability = Availability::Starting;

    private Generation $generation;

    /** Unix time of the last start. */
    private float $launched = 0.0;

    /** What was announced last; null: nothing yet, or closed. */
    private ?WorkerStatus $said = null;

    private int $nextLook = 0;

    /**
     * @param list<string> $addresses of the worker
     * @param int $owner see WorkerStatus
     * @param null|Closure(WorkerStatus, ?ExitStatus): void $listener is told of every change, after the file; how the worker
     *                                                                ended where it did so on its own after being ready
     */
    public function __construct(
        private readonly array $addresses,
        private readonly int $owner,
        private readonly ?Closure $listener = null,
    ) {
        $this->generation = new Generation();
    }

    /** The process is about to be launched. */
    public function begin(): void
    {
        foreach ($this->addresses as $address) {
            UnixSocket::awaitUnused($address, self::PREDECESSOR);
        }
        $this->launched = microtime(true);
        $this->generation = new Generation();
        // After a start that failed it stays failed until one succeeds: callers need not wait for each attempt.
        if ($this->availability !== Availability::Failed) {
            $this->announce(Availability::Starting);
        }
        $this->state = WorkerState::Starting;
    }

    /**
     * The process has been polled.
     *
     * @param bool $askedToEnd whether it was told to end
     */
    public function observe(Supervised $process, WorkerState $state, bool $askedToEnd): void
    {
        $generation = $process->generation();
        if ($state !== $this->state) {
            $this->state = $state;
            $this->generation = $state === WorkerState::Ended ? new Generation() : $generation;
            $failure = $process->failure();
            if ($state === WorkerState::Ready) {
                $this->announce(Availability::Ready);
            } elseif ($state === WorkerState::Ended && $failure !== null) {
                $this->announce(Availability::Failed, $failure->getMessage());
            } elseif ($state === WorkerState::Ended && ! $askedToEnd) {
                $exit = $process->exit() ?? new ExitStatus(null);
                $this->announce(Availability::Starting, "it ended with {$exit->describe()}", $exit);
            }
        } elseif ($state === WorkerState::Ready && $generation !== $this->generation) {
            $this->generation = $generation;
            $this->announce(Availability::Ready);
        }
        $this->restoreFiles();
    }

    /** Somebody asks for the next start of a failed worker, and may have mended what was wrong: callers wait for it. */
    public function expect(): void
    {
        if ($this->availability === Availability::Failed) {
            $this->announce(Availability::Starting, 'it is started again, as asked');
        }
    }

    /** Nobody looks after the worker any more. */
    public function close(): void
    {
        $this->said = null;
        foreach ($this->addresses as $address) {
            (new StatusFile($address))->remove();
        }
    }

    private function announce(Availability $availability, string $message = '', ?ExitStatus $died = null): void
    {
        $this->availability = $availability;
        $status = WorkerStatus::of($availability, $message, $this->owner, (int) getmypid(), $this->generation, $this->launched);
        $this->said = $status;
        foreach ($this->addresses as $address) {
            (new StatusFile($address))->write($status);
        }
        if ($this->listener !== null) {
            ($this->listener)($status, $died);
        }
    }

    /** A runtime folder may be deleted under a running server. */
    private function restoreFiles(): void
    {
        if ($this->said === null || hrtime(true) < $this->nextLook) {
            return;
        }
        $this->nextLook = hrtime(true) + self::LOOK;
        foreach ($this->addresses as $address) {
            $file = new StatusFile($address);
            if ($file->isGone()) {
                $file->write($this->said);
            }
        }
    }
}
