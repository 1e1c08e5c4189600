<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Supervision;

use function count;

/**
 * How long to wait before the next start of something that keeps ending: not at all for the first few, then twice as long
 * each time, up to a bound, and for ever. It has no clock: the caller passes the time.
 *
 * @internal
 */
final class Backoff
{
    /** @var list<float> the starts within the last window */
    private array $starts = [];

    private int $delays = 0;

    /**
     * @param int $burst starts that are allowed within `$window` seconds without a delay
     * @param float $first the first delay, in seconds
     * @param float $longest the longest delay, in seconds
     */
    public function __construct(
        private readonly int $burst = 5,
        private readonly float $window = 10.0,
        private readonly float $first = 1.0,
        private readonly float $longest = 30.0,
    ) {
    }

    /**
     * Counts a start that is wanted now.
     *
     * @param float $now seconds on any clock that only goes forward
     * @param float $uptime how long the last run was ready, in seconds; as long as the window, and the past is forgotten
     * @return float seconds to wait before it
     */
    public function delay(float $now, float $uptime = 0.0): float
    {
        if ($uptime >= $this->window) {
            $this->starts = [];
            $this->delays = 0;
        }
        $this->starts = array_values(array_filter($this->starts, fn (float $at): bool => $at > $now - $this->window));
        $delay = 0.0;
        // Once begun, delays grow on, however few starts they leave within the window.
        if ($this->delays > 0 || count($this->starts) >= $this->burst) {
            $delay = min($this->longest, $this->first * 2.0 ** min($this->delays, 30));
            $this->delays++;
        }
        $this->starts[] = $now + $delay;

        return $delay;
    }

    /** The next start waits, however few there were: another start alone won't help. */
    public function begin(): void
    {
        $this->delays = max(1, $this->delays);
    }

    /** Forgets earlier starts: somebody has asked for the next one. */
    public function reset(): void
    {
        $this->starts = [];
        $this->delays = 0;
    }

    /** Whether starts are being delayed. */
    public function isDelaying(): bool
    {
        return $this->delays > 0;
    }
}
