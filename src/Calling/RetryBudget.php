<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Closure;

use function max;
use function min;
use function random_int;

/**
 * How often calls of idempotent methods that were lost after they had been sent are made again: a budget of the whole client, and
 * pauses that grow. The broker keeps a budget of its own, alike, for those lost with a worker.
 *
 * @internal
 */
final class RetryBudget
{
    /** Attempts at one call, the first included. */
    public const ATTEMPTS = 3;

    /**
     * A token bucket: each call adds RATIO, sending one again takes 1. So where everything fails, the load grows by a tenth and not by a
     * factor. After Finagle's RetryBudget (https://twitter.github.io/finagle/guide/Clients.html).
     */
    private const RATIO = 0.1;

    private const FIRST = 10.0;

    private const MOST = 100.0;

    /** Seconds: the upper bound of the first pause is ten times this; no upper bound is above LONGEST. */
    private const BASE = 0.01;

    private const LONGEST = 1.0;

    /** Seconds; a runtime can't wait for less. */
    private const SHORTEST = 0.001;

    private float $tokens = self::FIRST;

    /**
     * @param null|Closure(): float $random from 0 to 1
     */
    public function __construct(private readonly ?Closure $random = null)
    {
    }

    /**
     * @param int $calls that were made; counted when a connection is lost, so that no call has to pay for it
     */
    public function earn(int $calls): void
    {
        $this->tokens = min(self::MOST, $this->tokens + self::RATIO * $calls);
    }

    public function isEmpty(): bool
    {
        return $this->tokens < 1.0;
    }

    /**
     * @return bool whether a call may be sent again
     */
    public function take(): bool
    {
        if ($this->isEmpty()) {
            return false;
        }
        $this->tokens -= 1.0;

        return true;
    }

    /**
     * Full jitter: anything up to a bound that grows tenfold, from 0.1 s to 1 s.
     * See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
     *
     * @param int $attempts that have been made
     * @return float seconds
     */
    public function pause(int $attempts): float
    {
        // random_int() has no state: forked children would share that of mt_rand().
        $random = $this->random === null ? random_int(0, 1_000_000) / 1_000_000 : ($this->random)();

        return max(self::SHORTEST, $random * min(self::LONGEST, self::BASE * 10.0 ** $attempts));
    }
}
