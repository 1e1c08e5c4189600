<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use RuntimeException;

use function array_keys;
use function hrtime;
use function stream_select;

/**
 * Calls over many streams at a time, one under way on each.
 */
final class Window
{
    private const STALLED = 30;

    /**
     * @param callable(int): resource $send sends a call in this place, and gives the stream on which its answer comes
     * @param callable(int): bool $receive takes what has arrived there; whether the answer is complete
     * @return list<int> the nanoseconds that each took
     */
    public static function run(int $concurrency, int $until, callable $send, callable $receive): array
    {
        $streams = $sent = $times = [];
        for ($place = 0; $place < $concurrency; $place++) {
            $sent[$place] = hrtime(true);
            $streams[$place] = $send($place);
        }
        while ($streams !== []) {
            $readable = $streams;
            $none = null;
            if ((int) stream_select($readable, $none, $none, self::STALLED) === 0) {
                throw new RuntimeException('no answer within ' . self::STALLED . ' s');
            }
            foreach (array_keys($readable) as $place) {
                if (! $receive($place)) {
                    continue;
                }
                $now = hrtime(true);
                $times[] = $now - $sent[$place];
                unset($streams[$place]);
                if ($now < $until) {
                    $sent[$place] = $now;
                    $streams[$place] = $send($place);
                }
            }
        }

        return $times;
    }
}
