<?php

declare(strict_types=1);

namespace Reasno\GoTask\Platform;

use function ini_get;

/**
 * Whether PHP's memory_limit leaves room. Exceeding it can't be caught, so it is asked before anything large is held.
 *
 * @internal
 */
final class Memory
{
    /** Bytes kept free for whatever else runs meanwhile. */
    private const RESERVE = 262_144;

    /**
     * @param int $bytes of a payload that is to come: its pieces, the whole of them, and what is decoded from it
     */
    public static function canHold(int $bytes): bool
    {
        return self::leaves(3 * $bytes);
    }

    /**
     * @param int $bytes that are to be allocated
     */
    public static function leaves(int $bytes): bool
    {
        $limit = (string) ini_get('memory_limit');
        if ($limit === '-1' || ($limit = ini_parse_quantity($limit)) <= 0) {
            return true;
        }
        $bytes += self::RESERVE;

        // Memory that PHP holds and does not use counts until it is given back.
        return memory_get_usage(true) + $bytes <= $limit || gc_mem_caches() > 0 && memory_get_usage(true) + $bytes <= $limit;
    }
}
