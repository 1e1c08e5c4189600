<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Process;

use Psr\EventDispatcher\EventDispatcherInterface;
use Reasno\GoTask\Hyperf\Event\WorkerDied;
use Reasno\GoTask\Hyperf\Event\WorkerFailing;
use Reasno\GoTask\Hyperf\Event\WorkerReady;
use Reasno\GoTask\Hyperf\Event\WorkerReloaded;
use Reasno\GoTask\Hyperf\Event\WorkerReloadFailed;
use Reasno\GoTask\Hyperf\Event\WorkerStarting;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\WorkerStatus;

/**
 * Tells the application what happens to a worker.
 *
 * @internal
 */
final class WorkerEvents
{
    public function __construct(private readonly string $worker, private readonly ?EventDispatcherInterface $dispatcher)
    {
    }

    public function on(WorkerStatus $status, ?ExitStatus $died): void
    {
        $generation = $status->generation;
        if ($generation->isReloading()) {
            return;
        }
        $this->dispatcher?->dispatch(match (true) {
            $died !== null => new WorkerDied($this->worker, $died),
            $generation->failure !== '' => new WorkerReloadFailed($this->worker, $generation->failure),
            $generation->serving > 1 => new WorkerReloaded($this->worker, $generation->serving),
            $status->availability === Availability::Ready => new WorkerReady($this->worker),
            $status->availability === Availability::Failed => new WorkerFailing($this->worker, $status->message),
            default => new WorkerStarting($this->worker),
        });
    }
}
