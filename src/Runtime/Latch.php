<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

/**
 * Lets callers wait for what one of them is doing for all, such as opening a connection.
 *
 * @internal
 */
interface Latch
{
    /**
     * Waits until it is opened; at once when it is.
     *
     * @param float $seconds at most
     */
    public function wait(float $seconds): void;

    /**
     * Lets all through that wait, and all that come later.
     */
    public function open(): void;
}
