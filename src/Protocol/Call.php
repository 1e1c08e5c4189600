<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use Reasno\GoTask\Goridge\Flag;
use Revolt\EventLoop\Suspension;

/**
 * One call, from the moment it is made until its outcome is known.
 *
 * A bare record, and the only object that a call needs: the session writes the outcome, the runtime its waiter. What
 * the outcome means is worked out by the one who waited, where the exception then points to.
 *
 * @internal
 */
final class Call
{
    public CallState $state = CallState::Waiting;

    /** Its sequence on its connection. */
    public int $sequence = 0;

    /** The place of its frame in the connection's stream of bytes, to tell whether any of it was written. */
    public int $start = 0;

    /** Bytes of its frame when that is in the send buffer as pieces of its own, else 0. */
    public int $large = 0;

    /** Flags of the reply's frame. */
    public int $replyFlags = 0;

    /** Body of the reply; for the outcomes without one what is known about the reason. */
    public string $reply = '';

    /** Where the reply is one large string: how it begins in MessagePack, and the string is what $reply holds; else ''. */
    public string $replyHead = '';

    /** Whether any of it had been written when the connection was lost. */
    public bool $sent = false;

    /** How often it was sent again although it may have run, since its method is idempotent. */
    public int $idempotentResends = 0;

    /** How often it was sent again because it had certainly not run. */
    public int $resends = 0;

    /** Whether it was sent without its time, which only a broker understands, and the broker has not been told of it since. */
    public bool $isUntimed = false;

    /** Whether the caller has given it up, at whatever moment. */
    public bool $cancelled = false;

    /** Whether it is one of parallel()'s. */
    public bool $isOneOfMany = false;

    /** Who is to be woken, as its runtime writes it: 0 nobody, else the id of a Swoole coroutine. */
    public int $coroutine = 0;

    /**
     * The same, for Revolt.
     *
     * @var null|Suspension<null>
     */
    public ?Suspension $suspension = null;

    public ?Connection $connection = null;

    /** Its headers and its key, and who is told of its end; null: it has none of them. */
    public ?Metadata $metadata = null;

    /** µs that its method is expected to take, while it is on the fast path; else 0. */
    public int $micros = 0;

    /** When it left on the fast path, hrtime() in ns; −1: it has been taken back since; 0: it did not leave there. */
    public int $fastSince = 0;

    /** What goes to and fro while it is under way; null for most calls. */
    public ?Exchange $exchange = null;

    // Not promoted, and so not readonly: to write a property that has no value yet takes PHP three times as long.
    public string $method = '';

    public int $codec = 0;

    public string $body = '';

    public int $callFlags = 0;

    public int $deadline = 0;

    public float $timeout = 0.0;

    public string $tail = '';

    /**
     * @param int $codec flag of the codec that encoded the body, see Goridge\Flag
     * @param string $body all of it, or its beginning if there is a tail
     * @param int $callFlags see Goridge\CallFlag
     * @param int $deadline nanoseconds on the clock of hrtime()
     * @param float $timeout what the deadline was made from, seconds, for the message
     * @param string $tail the rest of a large body, which is not copied to be put behind its beginning; else ''
     */
    public function __construct(
        string $method,
        int $codec,
        string $body,
        int $callFlags,
        int $deadline,
        float $timeout,
        string $tail = '',
    ) {
        $this->method = $method;
        $this->codec = $codec;
        $this->body = $body;
        $this->callFlags = $callFlags;
        $this->deadline = $deadline;
        $this->timeout = $timeout;
        $this->tail = $tail;
    }

    /**
     * Whether it has no outcome yet.
     */
    public function isUnderWay(): bool
    {
        return $this->state === CallState::Waiting || $this->state === CallState::Message;
    }

    /**
     * Whether it was answered, and not with an error.
     */
    public function hasResult(): bool
    {
        return $this->state === CallState::Replied && ($this->replyFlags & Flag::ERROR) === 0;
    }

    /**
     * Makes it ready to be sent once more.
     */
    public function reset(): void
    {
        $this->state = CallState::Waiting;
        $this->reply = $this->replyHead = '';
        $this->sent = false;
        $this->fastSince = 0;
    }
}
