<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Event;

use Reasno\GoTask\Process\Child\ExitStatus;

/**
 * A Python worker has ended that nobody had asked to. It is started again. Dispatched in the process that watches it.
 */
final class WorkerDied
{
    public function __construct(
        public readonly string $worker,
        public readonly ExitStatus $exit,
    ) {
    }
}
