<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Event;

/**
 * A Python worker has loaded its code again: new processes have taken over from the old ones, and no call has failed for it.
 * Dispatched in the process that watches it.
 */
final class WorkerReloaded
{
    /**
     * @param int $generation the number of the new processes' generation
     */
    public function __construct(
        public readonly string $worker,
        public readonly int $generation,
    ) {
    }
}
