<?php

declare(strict_types=1);

namespace Reasno\GoTask\Pool;

use Closure;

use function array_keys;
use function asort;
use function max;
use function min;
use function random_int;

/**
 * Which of several addresses a call goes to: the least loaded, in turn among equals. One that fails is set aside and asked again
 * after a pause, which doubles with each failure. It has no clock and no connections. Times are hrtime() in ns.
 *
 * @internal
 */
final class Balancer
{
    public const FIRST = 500_000_000;

    public const LONGEST = 30_000_000_000;

    /** @var array<int, int> when each that is set aside is to be asked again, by its place */
    private array $aside = [];

    /** @var array<int, int> how long the last pause of each was, before the jitter */
    private array $pauses = [];

    /** @var array<int, int> when each was last taken back */
    private array $restored = [];

    private int $last;

    /** @var int<1, max> */
    private int $count;

    /**
     * @param int<1, max> $count of the places
     * @param null|Closure(): float $random from 0 to 1
     */
    public function __construct(int $count, private readonly ?Closure $random = null)
    {
        $this->resize($count);
    }

    /**
     * @param int<1, max> $count of the places from now on
     */
    public function resize(int $count): void
    {
        $this->count = $count;
        // Many processes start at the same time, and must not all begin with the first address.
        $this->last = (int) ($this->random() * $count) % $count;
    }

    /**
     * Another address has that place from now on, or none.
     */
    public function forget(int $place): void
    {
        unset($this->aside[$place], $this->pauses[$place], $this->restored[$place]);
    }

    /**
     * @param array<int, int> $loads by place, of those that come into question
     * @return null|int the place of the best; null when all of them are set aside
     */
    public function choose(array $loads): ?int
    {
        $best = null;
        for ($i = 1; $i <= $this->count; $i++) {
            $place = ($this->last + $i) % $this->count;
            if (isset($loads[$place]) && ! isset($this->aside[$place]) && ($best === null || $loads[$place] < $loads[$best])) {
                $best = $place;
            }
        }
        $this->last = $best ?? $this->last;

        return $best;
    }

    /**
     * @param array<int, mixed> $places those that come into question, as keys
     * @return null|int the one of those set aside that is to be asked first
     */
    public function soonest(array $places): ?int
    {
        $soonest = null;
        foreach ($this->aside as $place => $at) {
            if (isset($places[$place]) && ($soonest === null || $at < $this->aside[$soonest])) {
                $soonest = $place;
            }
        }

        return $soonest;
    }

    /**
     * Sets an address aside, because it failed.
     */
    public function fail(int $place, int $now): void
    {
        $pause = $this->pauses[$place] ?? 0;
        // An address that fails again soon after it was taken back has not recovered.
        $again = isset($this->aside[$place]) || isset($this->restored[$place]) && $now - $this->restored[$place] < $pause;
        $pause = $again ? min(self::LONGEST, max(self::FIRST, 2 * $pause)) : self::FIRST;
        $this->pauses[$place] = $pause;
        // Up to a quarter more or less: processes that lost the address together do not come back together.
        $this->aside[$place] = $now + (int) ($pause * (0.75 + 0.5 * $this->random()));
    }

    /**
     * Sets an address aside until it has been asked, which is due at once.
     */
    public function suspect(int $place, int $now): void
    {
        $this->aside[$place] ??= $now;
    }

    /**
     * Takes back an address that answers.
     */
    public function restore(int $place, int $now): void
    {
        if (isset($this->aside[$place])) {
            unset($this->aside[$place]);
            $this->restored[$place] = $now;
        }
    }

    public function hasAside(): bool
    {
        return $this->aside !== [];
    }

    public function isAside(int $place): bool
    {
        return isset($this->aside[$place]);
    }

    /**
     * @return list<int> the places of those set aside whose pause is over, the longest first
     */
    public function due(int $now): array
    {
        $due = [];
        foreach ($this->aside as $place => $at) {
            if ($at <= $now) {
                $due[$place] = $at;
            }
        }
        asort($due);

        return array_keys($due);
    }

    private function random(): float
    {
        // random_int() has no state: forked children would share that of mt_rand().
        return $this->random === null ? random_int(0, 1_000_000) / 1_000_000 : ($this->random)();
    }
}
