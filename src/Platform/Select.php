<?php

declare(strict_types=1);

namespace Reasno\GoTask\Platform;

use ErrorException;

/**
 * stream_select(), and why it fails: it returns false at once after a signal, and also where a descriptor
 * is above the 1023 that PHP can watch.
 *
 * @internal
 */
final class Select
{
    /** ns between two looks at a descriptor that can't be watched. */
    public const PAUSE = 1_000_000;

    /**
     * @param array<array-key, resource> $reads becomes those that can be read
     * @param array<array-key, resource> $writes becomes those that can be written
     * @param int $wait ns, at least 0
     * @return null|int how many are ready; 0 also after a signal, whose handler has run then; null: they can't be watched
     */
    public static function streams(array &$reads, array &$writes, int $wait): ?int
    {
        $excepts = null;
        // Rounded up: waking before a deadline would only mean waiting once more.
        $micros = intdiv($wait + 999, 1000);

        try {
            $ready = @stream_select($reads, $writes, $excepts, intdiv($micros, 1_000_000), $micros % 1_000_000);
        } catch (ErrorException) {
            $ready = false; // see Quietly, which would cost time here
        }

        if ($ready !== false) {
            return $ready;
        }
        $isBeyond = false;
        set_error_handler(static function (int $level, string $message) use (&$isBeyond): bool {
            $isBeyond = $isBeyond || str_contains($message, 'FD_SETSIZE');

            return true;
        });

        try {
            stream_select($reads, $writes, $excepts, 0);
        } finally {
            restore_error_handler();
        }

        return $isBeyond ? null : 0;
    }
}
