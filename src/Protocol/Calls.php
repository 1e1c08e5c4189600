<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use function count;

use const PHP_INT_MAX;

/**
 * The calls that are under way on one connection.
 *
 * @internal
 */
abstract class Calls
{
    /** Sequences above this belong to the fast path, see FastCalls. */
    private const MAX_SEQUENCE = 0x3FFFFFFF;

    /**
     * No deadline of an outstanding call is earlier than this, hrtime() in ns. It may lag behind: a call that is answered does not
     * move it, expire() finds the exact one.
     */
    public int $earliest = PHP_INT_MAX;

    /**
     * Calls with an outcome whose waiters are still to be woken; whoever calls receive(), expire() or cancel() empties it.
     *
     * @var list<Call>
     */
    public array $woken = [];

    /** @var array<int, Call> outstanding calls by sequence */
    public array $calls = [];

    /** Bytes sent since the connection was opened, those in the send buffer included. */
    protected int $appended = 0;

    /** How many calls have left on the fast path and are not answered, and how many of those were taken back. */
    public int $fast = 0;

    protected int $takenBack = 0;

    /** µs that all calls on the fast path are expected to take. */
    protected int $micros = 0;

    private int $sequence = 0;

    /**
     * How many outstanding calls a connection has that is still in use.
     */
    public function count(): int
    {
        return count($this->calls);
    }

    /**
     * How many calls have been made on the connection.
     */
    public function total(): int
    {
        return $this->sequence;
    }

    /**
     * Gives a call its sequence, and the place of its frame.
     */
    final protected function take(Call $call): void
    {
        $sequence = $this->sequence;
        do {
            $sequence = $sequence === self::MAX_SEQUENCE ? 1 : $sequence + 1;
        } while (isset($this->calls[$sequence]));
        $this->sequence = $call->sequence = $sequence;
        $call->start = $this->appended;
        $call->large = 0;
        $call->isUntimed = false;
        $this->calls[$sequence] = $call;
        if ($call->deadline < $this->earliest) {
            $this->earliest = $call->deadline;
        }
    }

    /**
     * Gives a call its outcome.
     */
    final protected function settle(Call $call, CallState $state, int $flags, string $reply): void
    {
        unset($this->calls[$call->sequence]);
        if ($call->micros !== 0) {
            // leaveFast(), without a call of it.
            $this->fast--;
            if ($call->fastSince < 0) {
                $this->takenBack--;
            }
            $this->micros -= $call->micros;
            $call->micros = 0;
        }
        $call->state = $state;
        $call->replyFlags = $flags;
        $call->reply = $reply;
        // toWake(), without a call of it.
        if ($call->coroutine !== 0 || $call->suspension !== null) {
            $this->woken[] = $call;
        }
    }

    /**
     * Whoever waits for the call, if anybody does, is to be woken.
     */
    final protected function toWake(Call $call): void
    {
        if ($call->coroutine !== 0 || $call->suspension !== null) {
            $this->woken[] = $call;
        }
    }

    /**
     * A call is no longer outstanding on the fast path.
     */
    final protected function leaveFast(Call $call): void
    {
        $this->fast--;
        if ($call->fastSince < 0) {
            $this->takenBack--;
        }
        $this->micros -= $call->micros;
        $call->micros = 0;
    }
}
