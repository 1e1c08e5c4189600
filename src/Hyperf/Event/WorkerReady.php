<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Event;

/**
 * A Python worker takes calls. Dispatched in the process that watches it.
 */
final class WorkerReady
{
    public function __construct(
        public readonly string $worker,
    ) {
    }
}
