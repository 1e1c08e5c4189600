<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Reasno\GoTask\Exception\GoTaskException;

/**
 * A call that is under way, or has ended.
 *
 * Letting go of it does not stop the call. One that has failed by then, and was never awaited, logs its failure.
 */
interface Future
{
    /**
     * Waits for the result. Awaiting again gives the same result, or throws the same failure, at once.
     *
     * @throws GoTaskException
     */
    public function await(): mixed;

    /**
     * Gives the call up: the worker is told to stop, and await() throws a Cancelled. Nothing happens when it has already ended.
     */
    public function cancel(): void;

    /**
     * Whether await() would return or throw at once.
     *
     * It does not look for new answers: without a coroutine or a loop that reads, only waiting for some call does.
     */
    public function isComplete(): bool;
}
