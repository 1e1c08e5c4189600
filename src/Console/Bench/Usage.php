<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Bench;

/**
 * What processes take of the machine, by Linux's /proc. Elsewhere everything is 0.
 *
 * @internal
 */
final class Usage
{
    /** USER_HZ, which is 100 on every Linux that PHP runs on. */
    private const TICKS = 100;

    /**
     * @param list<int> $pids
     * @return float resident memory together, in MiB; what they share counts for each
     */
    public static function resident(array $pids): float
    {
        return self::memory($pids, 'Rss');
    }

    /**
     * @param list<int> $pids
     * @return float resident memory together, in MiB; what they share counts once
     */
    public static function proportional(array $pids): float
    {
        return self::memory($pids, 'Pss');
    }

    /**
     * @param list<int> $pids
     * @return float processor time so far, in seconds
     */
    public static function processor(array $pids): float
    {
        $ticks = 0;
        foreach ($pids as $pid) {
            // The program's name, in brackets, may hold spaces.
            $fields = explode(' ', (string) preg_replace('/^.*\) /s', '', (string) @file_get_contents("/proc/{$pid}/stat")));
            $ticks += (int) ($fields[11] ?? 0) + (int) ($fields[12] ?? 0);
        }

        return $ticks / self::TICKS;
    }

    /**
     * @param list<int> $pids
     */
    private static function memory(array $pids, string $field): float
    {
        $kib = 0;
        foreach ($pids as $pid) {
            $text = (string) @file_get_contents("/proc/{$pid}/smaps_rollup");
            $kib += preg_match("/^{$field}:\\s+(\\d+) kB/m", $text, $match) === 1 ? (int) $match[1] : 0;
        }

        return $kib / 1024;
    }
}
