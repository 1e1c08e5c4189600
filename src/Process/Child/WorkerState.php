<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

/**
 * The state of a worker process. From Ended it can be launched again.
 *
 * @internal
 */
enum WorkerState
{
    /** Running, but not yet ready to take calls. */
    case Starting;

    /** The app is imported and opened, and calls are taken. */
    case Ready;

    /** Asked to end: running calls are finished, new ones refused. */
    case Stopping;

    /** Not running: not yet launched, ended, or never got ready. */
    case Ended;
}
