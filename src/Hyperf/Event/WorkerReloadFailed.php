<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Event;

/**
 * A Python worker's new code could not be loaded; the old code goes on taking calls. Dispatched in the process that watches it.
 */
final class WorkerReloadFailed
{
    public function __construct(
        public readonly string $worker,
        public readonly string $reason,
    ) {
    }
}
