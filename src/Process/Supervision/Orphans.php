<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Supervision;

use Reasno\GoTask\Platform\Quietly;

use function count;
use function function_exists;
use function in_array;

/**
 * Reaps orphans: every process of a container whose parent has ended becomes a child of the first one, and stays a zombie until that
 * asks for its end.
 *
 * @internal
 */
final class Orphans
{
    /** Nanoseconds between two looks. */
    private const INTERVAL = 1_000_000_000;

    private int $next = 0;

    /** Whether orphans come to this process. */
    public static function areOurs(): bool
    {
        return getmypid() === 1 && function_exists('pcntl_waitpid');
    }

    /**
     * At most once a second. Nothing that proc_open() or a fork of this process's own code waits for may be reaped.
     *
     * @param list<null|int> $children processes that this one has started
     */
    public function reap(array $children): void
    {
        if (hrtime(true) < $this->next) {
            return;
        }
        $this->next = hrtime(true) + self::INTERVAL;
        foreach (self::zombies((int) getmypid()) as $pid) {
            if (! in_array($pid, $children, true)) {
                pcntl_waitpid($pid, $status, WNOHANG);
            }
        }
    }

    /**
     * @return list<int>
     */
    private static function zombies(int $parent): array
    {
        $zombies = [];
        foreach (Quietly::call(static fn () => function_exists('glob') ? glob('/proc/[0-9]*/stat') : false) ?: [] as $file) {
            // "pid (name) state ppid …", where the name may hold anything.
            $stat = (string) Quietly::call(static fn () => file_get_contents($file));
            $fields = explode(' ', substr($stat, (int) strrpos($stat, ')') + 2, 32));
            if (count($fields) > 2 && $fields[0] === 'Z' && (int) $fields[1] === $parent) {
                $zombies[] = (int) $stat;
            }
        }

        return $zombies;
    }
}
