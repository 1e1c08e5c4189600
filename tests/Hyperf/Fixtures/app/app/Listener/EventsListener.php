<?php

declare(strict_types=1);

namespace App\Listener;

use Hyperf\Event\Contract\ListenerInterface;
use Reasno\GoTask\Hyperf\Event\WorkerDied;
use Reasno\GoTask\Hyperf\Event\WorkerFailing;
use Reasno\GoTask\Hyperf\Event\WorkerReady;
use Reasno\GoTask\Hyperf\Event\WorkerReloaded;
use Reasno\GoTask\Hyperf\Event\WorkerReloadFailed;
use Reasno\GoTask\Hyperf\Event\WorkerStarting;
use Reasno\GoTask\Observing\CallEnded;

class EventsListener implements ListenerInterface
{
    public function listen(): array
    {
        return [WorkerStarting::class, WorkerReady::class, WorkerDied::class, WorkerFailing::class, WorkerReloaded::class, WorkerReloadFailed::class, CallEnded::class];
    }

    public function process(object $event): void
    {
        file_put_contents(BASE_PATH . '/events.txt', substr(strrchr($event::class, '\\'), 1) . "\n", FILE_APPEND);
    }
}
