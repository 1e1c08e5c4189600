<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

use Reasno\GoTask\Console\TypedMap;

/**
 * What a worker said of itself at one moment.
 *
 * @internal
 */
final class Look
{
    /**
     * @param string $worker its name, or its address
     * @param float $time seconds of a clock that only goes forward
     * @param string $failure why it said nothing; empty: the status is there
     */
    public function __construct(
        public readonly string $worker,
        public readonly float $time,
        public readonly TypedMap $status,
        public readonly string $failure = '',
    ) {
    }
}
