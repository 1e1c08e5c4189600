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
}
