<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Event;

/**
 * A Python worker could not be started. It is tried again; calls fail until then. Dispatched in the process that watches it.
 */
final class WorkerFailing
{
    public function __construct(
        public readonly string $worker,
        public readonly string $reason,
    ) {
    }
}
