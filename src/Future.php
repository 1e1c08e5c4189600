<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Reasno\GoTask\Exception\GoTaskException;

/**
 * A call that is under way, or has ended.
 *
 * Whoever awaits it serves what the call asks for meanwhile: onProgress, calls back, the input.
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

    /**
     * The newest progress that has come, awaited or not: it looks whether there is some, without waiting. Null where there is none, or
     * the call was made without onProgress.
     */
    public function progress(): ?Progress;
}
