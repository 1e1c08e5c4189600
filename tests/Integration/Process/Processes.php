<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Process;

/**
 * What the operating system knows about processes; Linux only.
 */
final class Processes
{
    /**
     * @return list<int> the process and everything below it
     */
    public static function tree(int $pid): array
    {
        $tree = [$pid];
        foreach (explode(' ', trim((string) @file_get_contents("/proc/{$pid}/task/{$pid}/children"))) as $child) {
            if ($child !== '') {
                array_push($tree, ...self::tree((int) $child));
            }
        }

        return $tree;
    }

    /**
     * @param list<int> $pids
     * @return list<int> those that still run after waiting at most `$timeout` seconds for them to end
     */
    public static function survivors(array $pids, float $timeout): array
    {
        $until = microtime(true) + $timeout;
        while (($pids = array_values(array_filter($pids, self::runs(...)))) !== [] && microtime(true) < $until) {
            usleep(5000);
        }

        return $pids;
    }

    private static function runs(int $pid): bool
    {
        $status = (string) @file_get_contents("/proc/{$pid}/stat");

        // Zombies have ended; who is to collect them is another matter.
        return $status !== '' && preg_match('/\) Z /', $status) !== 1;
    }
}
