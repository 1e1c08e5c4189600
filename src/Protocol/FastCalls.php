<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use Reasno\GoTask\Goridge\Frame;

use function array_search;
use function array_splice;
use function count;
use function intdiv;
use function max;
use function pack;
use function str_repeat;
use function strlen;
use function substr;

/**
 * The calls of a connection that are on the fast path: which may take it, and what they look like there. The chapter on the fast path
 * of docs/protocol.md has the rules.
 *
 * A call on the fast path has micros above 0. It is held until its message leaves, and among the outstanding calls from then on, with a
 * sequence from FIRST on: its outcome may come on either socket.
 *
 * @internal
 */
abstract class FastCalls extends Calls
{
    /** Calls of one message, at most. */
    public const BATCH = 16;

    /** Why a call is stopped, as the second option of STOP says. */
    protected const CANCELLED = 0;
    protected const LATE = 1;
    protected const TAKEN_BACK = 2;
    protected const GIVEN_BACK = 3;

    /** Bytes of a message, at most. */
    protected const FAST_MESSAGE = 65_535;

    /** No call costs fewer µs than this, whatever its method took. */
    protected const LEAST = 20;

    /** So many frames' headers are remembered. */
    private const HEADS = 512;

    private const FIRST = 0x4000_0000;
    private const LAST = 0x7FFF_FFFF;

    /** A method is quick that took fewer µs than this when it was called last. */
    private const QUICK = 500;

    /** µs that the calls of one message are expected to take, at most. */
    private const BATCH_MICROS = 1_000;

    /** µs that all calls on the fast path together are expected to take, at most: half of what makes a call overdue. */
    private const MICROS = 5_000;

    /** Bytes of a call's payload: what its message holds beside the frame's header and the time. */
    private const PAYLOAD = self::FAST_MESSAGE - Frame::HEADER - 24;

    /** A call with fewer ns left goes to the broker: nobody may look at the clock for so long. */
    private const HASTE = 30_000_000;

    /** No call takes the fast path before this moment, hrtime() in ns. */
    public int $brokeredUntil = 0;

    /** Whether a call that was taken back had not begun: all workers are busy, or one is slow. */
    public bool $isHeldUp = false;

    /** Whether the last message had several calls: the next ones are likely to come several at a time, too. */
    public bool $wasShared = false;

    /** @var list<Call> calls that leave together in the next message */
    public array $held = [];

    /** @var list<Call> calls that were given back, to be sent to the broker */
    public array $givenBack = [];

    /** @var array<string, int> µs that methods took when they were called last, of those that are quick */
    private array $quick = [];

    private int $heldMicros = 0;

    private int $heldBytes = 0;

    private int $lastSequence = self::FIRST - 1;

    private bool $hasBegunAnew = false;

    /** @var array<int, string> headers of frames, by bytes of their payload and codec */
    private array $heads = [];

    /** How many calls callsSince() has returned so far. */
    private int $told = 0;

    /**
     * Whether a call may take the fast path; it is on it then.
     *
     * @param int $now hrtime() in ns
     */
    final public function takeFast(Call $call, int $now): bool
    {
        $micros = $this->quick[$call->method] ?? 0;
        if (
            $micros === 0
            || $call->callFlags !== 0
            || $this->micros + $micros > self::MICROS
            || $now < $this->brokeredUntil
            || $call->deadline - $now < self::HASTE
            || strlen($call->body) + strlen($call->method) > self::PAYLOAD
            || $call->tail !== ''
        ) {
            return false;
        }
        $call->micros = $micros;
        $this->micros += $micros;

        return true;
    }

    /**
     * Puts a call among those that leave together.
     *
     * @return bool false: one message does not hold it, too
     */
    final public function hold(Call $call): bool
    {
        $micros = $this->heldMicros + $call->micros;
        $bytes = $this->heldBytes + strlen($call->body) + strlen($call->method);
        if ($micros > self::BATCH_MICROS || $bytes > self::PAYLOAD || count($this->held) === self::BATCH) {
            return false;
        }
        $this->held[] = $call;
        $this->heldMicros = $micros;
        $this->heldBytes = $bytes + Frame::HEADER + 16;

        return true;
    }

    /**
     * @return list<Call> those that are held, which are so no longer
     */
    final public function release(): array
    {
        $calls = $this->held;
        $this->held = [];
        $this->heldMicros = $this->heldBytes = 0;

        return $calls;
    }

    /**
     * Takes calls among those outstanding.
     *
     * @param non-empty-list<Call> $calls at most BATCH
     * @param int $now hrtime() in ns
     * @return string the message that is to be sent; where that can't be done, discard() takes them back
     */
    final public function message(array $calls, int $now): string
    {
        $sequence = $this->lastSequence;
        if ($sequence + self::BATCH + count($this->calls) > self::LAST) {
            $sequence = self::FIRST - 1;
            $this->hasBegunAnew = true;
        }
        $message = pack('P', $now);
        foreach ($calls as $call) {
            $sequence++;
            // A call may be outstanding since before the count began anew.
            while ($this->hasBegunAnew && isset($this->calls[$sequence])) {
                $sequence++;
            }
            $call->sequence = $sequence;
            // All of it has been written if any was, and the broker is told when its time is over.
            $call->start = -1;
            $call->isUntimed = true;
            $call->fastSince = $now;
            $this->calls[$sequence] = $call;
            $deadline = $call->deadline;
            if ($deadline < $this->earliest) {
                $this->earliest = $deadline;
            }
            // Frame::call(), in fewer steps. 0 would mean no deadline.
            $milliseconds = intdiv($deadline - $now, 1_000_000);
            if ($milliseconds < 1 || $milliseconds > Frame::MAX_UINT32) {
                $milliseconds = $milliseconds < 1 ? 1 : Frame::MAX_UINT32;
            }
            $method = $call->method;
            $body = $call->body;
            $name = strlen($method);
            $form = $name + strlen($body) << 8 | $call->codec;
            $message .= ($this->heads[$form] ?? $this->head($form)) . pack('V4', $sequence, $name, $milliseconds, 0) . $method . $body;
        }
        $this->lastSequence = $sequence;
        $count = count($calls);
        $this->fast += $count;
        $this->wasShared = $count > 1;

        return $message;
    }

    /**
     * Takes a call off the fast path that has not left there.
     */
    final public function discard(Call $call): void
    {
        if (($this->calls[$call->sequence] ?? null) === $call) {
            unset($this->calls[$call->sequence]);
            $this->leaveFast($call);
        } else {
            $this->micros -= $call->micros;
        }
        $call->micros = $call->fastSince = 0;
    }

    /**
     * @return int how many calls have been made on the connection since this was last asked
     */
    final public function callsSince(): int
    {
        $calls = max(0, $this->total() + $this->lastSequence - self::FIRST + 1 - $this->told);
        $this->told += $calls;

        return $calls;
    }

    /**
     * Whether anything outstanding can be answered on the ordinary connection alone.
     */
    final public function expectsMore(): bool
    {
        return count($this->calls) > $this->fast - $this->takenBack;
    }

    /**
     * Remembers how long a method took.
     *
     * @param int $micros the third option of its reply; one with bit 31 has no way to be fast
     */
    final protected function learn(Call $call, int $micros): void
    {
        // A call's messages come on the ordinary connection, which a fast call does not read.
        if ($micros < self::QUICK && $call->exchange === null) {
            $this->quick[$call->method] = max($micros, self::LEAST);
        } else {
            unset($this->quick[$call->method]);
        }
    }

    /**
     * A call has not run and will not.
     */
    final protected function giveBack(int $sequence): void
    {
        $call = $this->calls[$sequence] ?? null;
        if ($call !== null && $call->micros !== 0) {
            unset($this->calls[$sequence]);
            if ($call->fastSince < 0) {
                $this->isHeldUp = true;
            } else {
                // A worker that leaves, or the method is not for here: the next answer of the broker tells.
                unset($this->quick[$call->method]);
            }
            $this->leaveFast($call);
            $call->fastSince = 0;
            $this->givenBack[] = $call;
        }
    }

    /**
     * @return bool whether it was among those that are held
     */
    final protected function letGo(Call $call): bool
    {
        $place = array_search($call, $this->held, true);
        if ($place === false) {
            return false;
        }
        array_splice($this->held, $place, 1);
        $this->micros -= $call->micros;
        $call->micros = 0;

        return true;
    }

    final protected function clearFast(): void
    {
        $this->held = $this->givenBack = [];
        $this->fast = $this->takenBack = $this->micros = $this->heldMicros = $this->heldBytes = 0;
    }

    private function head(int $form): string
    {
        if (count($this->heads) >= self::HEADS) {
            $this->heads = [];
        }

        return $this->heads[$form] = substr(Frame::encode($form & 0xFF, [0, 0, 0, 0], str_repeat("\0", $form >> 8)), 0, Frame::HEADER);
    }
}
