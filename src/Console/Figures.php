<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use function intdiv;
use function sprintf;

/**
 * Numbers as people read them, three digits or so.
 *
 * @internal
 */
final class Figures
{
    /** How long something took. */
    public static function time(float $seconds): string
    {
        return match (true) {
            $seconds < 0.001 => sprintf('%.0f µs', $seconds * 1e6),
            $seconds < 0.1 => sprintf('%.1f ms', $seconds * 1e3),
            $seconds < 10.0 => sprintf('%.2f s', $seconds),
            default => sprintf('%.0f s', $seconds),
        };
    }

    /** For how long something has been there. */
    public static function duration(float $seconds): string
    {
        $seconds = (int) $seconds;

        return match (true) {
            $seconds < 120 => "{$seconds} s",
            $seconds < 7200 => intdiv($seconds, 60) . ' min',
            $seconds < 172_800 => intdiv($seconds, 3600) . ' h',
            default => intdiv($seconds, 86_400) . ' days',
        };
    }

    public static function count(float $number): string
    {
        return match (true) {
            $number < 1e6 => sprintf('%.0f', $number),
            $number < 1e9 => sprintf('%.2fM', $number / 1e6),
            default => sprintf('%.2fG', $number / 1e9),
        };
    }

    /** How many a second. */
    public static function rate(float $rate): string
    {
        return $rate > 0.0 && $rate < 9.95 ? sprintf('%.1f', $rate) : self::count($rate);
    }

    public static function size(float $bytes): string
    {
        return match (true) {
            $bytes < 1024 => sprintf('%.0f B', $bytes),
            $bytes < 1_048_576 => sprintf('%.1f KiB', $bytes / 1024),
            $bytes < 1_073_741_824 => sprintf('%.1f MiB', $bytes / 1_048_576),
            default => sprintf('%.1f GiB', $bytes / 1_073_741_824),
        };
    }

    public static function percent(float $fraction): string
    {
        return sprintf('%.0f%%', 100 * $fraction);
    }
}
