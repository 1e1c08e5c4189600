<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process;

use Closure;
use Reasno\GoTask\Exception\WorkerStartFailed;

use function sprintf;

/**
 * A supervised process whose state others can see in its status file.
 */
final class AnnouncedWorker implements Supervised
{
    /** What the predecessor, whose supervisor was killed, gets to be gone, in seconds. */
    private const PREDECESSOR = 1.5;

    private WorkerState $state = WorkerState::Ended;

    private Availability $availability = Availability::Starting;

    private bool $askedToEnd = false;

    /**
     * @param list<string> $addresses of the worker
     * @param int $owner see WorkerStatus
     * @param null|Closure(WorkerStatus, ?ExitStatus): void $listener is told of every change, after the file; how the worker
     *                                                                ended where it did so on its own after being ready
     */
    public function __construct(
        private readonly Supervised $process,
        private readonly array $addresses,
        private readonly int $owner,
        private readonly ?Closure $listener = null,
    ) {
    }

    public function launch(): void
    {
        foreach ($this->addresses as $address) {
            UnixSocket::awaitUnused($address, self::PREDECESSOR);
        }
        // After a start that failed it stays failed until one succeeds: callers need not wait for each attempt.
        if ($this->availability !== Availability::Failed) {
            $this->announce(Availability::Starting);
        }
        try {
            $this->process->launch();
        } catch (WorkerStartFailed $failure) {
            $this->announce(Availability::Failed, $failure->getMessage());

            throw $failure;
        }
        $this->state = WorkerState::Starting;
        $this->askedToEnd = false;
    }

    public function poll(float $timeout): WorkerState
    {
        $state = $this->process->poll($timeout);
        if ($state !== $this->state) {
            $this->state = $state;
            $failure = $this->process->failure();
            if ($state === WorkerState::Ready) {
                $this->announce(Availability::Ready);
            } elseif ($state === WorkerState::Ended && $failure !== null) {
                $this->announce(Availability::Failed, $failure->getMessage());
            } elseif ($state === WorkerState::Ended && ! $this->askedToEnd) {
                $exit = $this->exit() ?? new ExitStatus(null);
                $this->announce(Availability::Starting, sprintf('it ended with %s', $exit->describe()), $exit);
            }
        }

        return $state;
    }

    public function terminate(): void
    {
        $this->askedToEnd = true;
        $this->process->terminate();
    }

    public function kill(): void
    {
        $this->askedToEnd = true;
        $this->process->kill();
    }

    public function failure(): ?WorkerStartFailed
    {
        return $this->process->failure();
    }

    public function exit(): ?ExitStatus
    {
        return $this->process->exit();
    }

    /** A start is asked for by somebody who has perhaps mended what was wrong: callers wait for this one. */
    public function expect(): void
    {
        $this->announce(Availability::Starting, 'it is started again, as asked');
    }

    /** Nobody looks after the worker any more. */
    public function close(): void
    {
        foreach ($this->addresses as $address) {
            (new StatusFile($address))->remove();
        }
    }

    private function announce(Availability $availability, string $message = '', ?ExitStatus $died = null): void
    {
        $this->availability = $availability;
        $status = WorkerStatus::of($availability, $message, $this->owner, (int) getmypid());
        foreach ($this->addresses as $address) {
            (new StatusFile($address))->write($status);
        }
        if ($this->listener !== null) {
            ($this->listener)($status, $died);
        }
    }
}
