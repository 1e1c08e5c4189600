<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Event;

/**
 * A Python worker is about to be started. Dispatched in the process that watches it.
 */
final class WorkerStarting
{
    public function __construct(
        public readonly string $worker,
    ) {
    }
}
