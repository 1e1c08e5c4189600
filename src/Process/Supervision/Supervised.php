<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Supervision;

use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Child\WorkerState;
use Reasno\GoTask\Process\Status\Generation;

/**
 * A process as its supervisor sees it: launched, then polled until it has ended. Nothing here waits but poll().
 *
 * @internal
 */
interface Supervised
{
    /**
     * Starts the process and returns at once. Running already, it is left as it is.
     */
    public function launch(): void;

    /**
     * Does what is due, and waits for news at most `$timeout` seconds. Only one caller at a time.
     */
    public function poll(float $timeout): WorkerState;

    /**
     * Has the app loaded again, as it is now, where it is ready: new processes take over from the old ones once they are ready
     * themselves, without a call lost. Where they can't be started, the old ones go on.
     */
    public function requestReload(): void;

    /**
     * Which code runs, and what has become of the last request to reload: poll() returns when it changes.
     */
    public function generation(): Generation;

    /**
     * Asks it to finish what it runs and to end. Polled on, it ends within its shutdown timeout, by force if need be.
     */
    public function terminate(): void;

    /**
     * Ends it now. Polled on, it has ended in about a second.
     */
    public function kill(): void;

    /**
     * Why the last launch never got ready; null where it did, or has not been decided.
     */
    public function failure(): ?WorkerStartFailed;

    /**
     * How the process ended; null while it runs, and before it ran.
     */
    public function exit(): ?ExitStatus;
}
