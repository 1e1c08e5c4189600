<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

/**
 * Callers wait here while one of them does something for all, such as opening a connection.
 *
 * @internal
 */
interface Latch
{
    /**
     * Waits until it is opened; returns at once when it is open.
     *
     * @param float $seconds at most
     */
    public function wait(float $seconds): void;

    /**
     * Lets all callers through, those that wait and those that come later.
     */
    public function open(): void;
}
