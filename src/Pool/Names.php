<?php

declare(strict_types=1);

namespace Reasno\GoTask\Pool;

use Reasno\GoTask\Address;
use Reasno\GoTask\Runtime\Runtime;

use function array_map;
use function array_values;
use function hrtime;
use function max;
use function min;

use const PHP_INT_MAX;

/**
 * The addresses that a client's names stand for at the moment. No call looks a name up: it is done when the first one is made, then every
 * 10 s, and 1 s at the earliest after the last time where an address has failed. Times are hrtime() in ns.
 *
 * @internal
 */
final class Names
{
    private const LIFE = 10_000_000_000;

    private const SOON = 1_000_000_000;

    /** A lookup may hold up its process, so at most a part of the time is spent on them: where the name server does not answer. */
    private const SHARE = 20;

    /** When the names are to be looked up again. */
    public int $due = PHP_INT_MAX;

    /** Until when they are not looked up, whatever fails. */
    private int $rest = 0;

    /** @var array<int, list<Address>> what each was found to stand for when that could last be known, by its place among those given */
    private array $found = [];

    /**
     * @param list<Address> $given
     */
    public function __construct(private readonly Runtime $runtime, private readonly array $given)
    {
        foreach ($given as $address) {
            if ($address->isName()) {
                $this->due = 0;
            }
        }
    }

    /**
     * An address has failed: perhaps its machine has another one by now.
     */
    public function hurry(int $now): void
    {
        if ($this->due !== PHP_INT_MAX) {
            $this->due = min($this->due, max($now, $this->rest));
        }
    }

    /**
     * Looks them up; that waits.
     *
     * @return list<Address> at least one for each that was given: where nothing is known of a name, itself
     */
    public function look(int $now): array
    {
        // Until it is known, other coroutines do not begin the same.
        $this->due = PHP_INT_MAX;
        $began = (int) hrtime(true);
        $all = [];
        foreach ($this->given as $place => $address) {
            $ips = $address->isName() ? $this->runtime->resolve($address->host) : [];
            if ($ips !== []) {
                $this->found[$place] = array_map($address->at(...), $ips);
            }
            foreach ($this->found[$place] ?? [$address] as $each) {
                $all[(string) $each] = $each;
            }
        }
        $now += $took = (int) hrtime(true) - $began;
        $took *= self::SHARE;
        $this->rest = $now + max(self::SOON, $took);
        $this->due = $now + max(self::LIFE, $took);

        return array_values($all);
    }
}
