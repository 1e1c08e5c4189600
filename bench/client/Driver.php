<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

/**
 * One way to have something done by another process.
 */
interface Driver
{
    /** One call, from sending it to having its answer. */
    public function call(string $payload): void;

    /**
     * Calls until the time is up, so many under way at a time.
     *
     * @param int $until by hrtime(), in nanoseconds
     * @return list<int> the nanoseconds that each took
     */
    public function many(string $payload, int $concurrency, int $until): array;
}
