<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

/**
 * One that can have more than one call under way.
 */
interface ConcurrentDriver extends Driver
{
    /**
     * Calls until the time is up, so many under way at a time.
     *
     * @param int $until by hrtime(), in nanoseconds
     * @return list<int> the nanoseconds that each took
     */
    public function many(string $payload, int $concurrency, int $until): array;
}
