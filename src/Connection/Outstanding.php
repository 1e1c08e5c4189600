<?php

declare(strict_types=1);

namespace Reasno\GoTask\Connection;

use function count;

use const PHP_INT_MAX;

/**
 * The calls that are under way on one connection.
 *
 * @internal
 */
abstract class Outstanding
{
    private const MAX_SEQUENCE = 0x7FFFFFFF;

    /**
     * No deadline of an outstanding call is earlier than this, hrtime() in ns. It may lag behind: a call that is answered does not
     * move it, expire() finds the exact one.
     */
    public int $earliest = PHP_INT_MAX;

    /**
     * Calls with an outcome whose waiters are still to be woken; whoever calls receive() or expire() empties it.
     *
     * @var list<Pending>
     */
    public array $woken = [];

    /** @var array<int, Pending> outstanding calls by sequence */
    public array $pending = [];

    /** Bytes that have been put into the outbox, or past it, since the connection was opened. */
    protected int $appended = 0;

    private int $sequence = 0;

    /**
     * How many outstanding calls a connection has that is still in use.
     */
    public function count(): int
    {
        return count($this->pending);
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
    final protected function take(Pending $call): void
    {
        $sequence = $this->sequence;
        do {
            $sequence = $sequence === self::MAX_SEQUENCE ? 1 : $sequence + 1;
        } while (isset($this->pending[$sequence]));
        $this->sequence = $call->sequence = $sequence;
        $call->start = $this->appended;
        $call->large = 0;
        $call->isUntimed = false;
        $this->pending[$sequence] = $call;
        if ($call->deadline < $this->earliest) {
            $this->earliest = $call->deadline;
        }
    }

    /**
     * Gives a call its outcome.
     */
    final protected function settle(Pending $call, Outcome $outcome, int $flags, string $reply): void
    {
        unset($this->pending[$call->sequence]);
        $call->outcome = $outcome;
        $call->replyFlags = $flags;
        $call->reply = $reply;
        if ($call->coroutine !== 0 || $call->suspension !== null) {
            $this->woken[] = $call;
        }
    }
}
