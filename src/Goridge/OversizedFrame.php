<?php

declare(strict_types=1);

namespace Reasno\GoTask\Goridge;

/**
 * The header of a frame whose payload is too large to be held; the payload itself is being skipped.
 *
 * @internal
 */
final class OversizedFrame
{
    /**
     * @param int $flags see Flag
     * @param list<int> $options
     * @param int $length of the payload, in bytes
     * @param int $stream see Stream
     */
    public function __construct(
        public readonly int $flags,
        public readonly array $options,
        public readonly int $length,
        public readonly int $stream = 0,
    ) {
    }
}
