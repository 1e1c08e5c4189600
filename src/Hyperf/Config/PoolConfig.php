<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Config;

use Reasno\GoTask\Exception\InvalidConfiguration;

/**
 * The connections of one process to one worker, under the names that Hyperf's pools use.
 *
 * @internal
 */
final class PoolConfig
{
    private function __construct(
        public readonly int $minConnections,
        public readonly int $maxConnections,
        public readonly float $connectTimeout,
        public readonly float $maxIdleTime,
    ) {
    }

    /**
     * @throws InvalidConfiguration
     */
    public static function of(Section $section): self
    {
        $max = $section->integer('max_connections', 1, 1024, 4);

        return new self(
            $section->integer('min_connections', 0, $max, min(1, $max)),
            $max,
            $section->seconds('connect_timeout', 10.0),
            $section->seconds('max_idle_time', 60.0),
        );
    }
}
