<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use Closure;
use LogicException;
use Reasno\GoTask\Address;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\MessageKind;
use Throwable;

use function count;
use function getmypid;
use function intdiv;
use function max;
use function min;
use function strlen;

/**
 * One connection that many calls share. This is what all runtimes have in common; each adds how to write, read and wait.
 *
 * Nobody owns it for longer than a call. It has no reader of its own: whoever waits for an answer reads for everybody.
 *
 * In one file, since every public method follows the same rules about interrupted changes.
 *
 * @internal
 */
abstract class Connection extends FastConnection
{
    /** After so many ns without a call it is worth asking whether the peer is still there. */
    public const DOUBT = 1_000_000_000;

    /** Bytes read at a time. PHP's memory manager hands out this many as cheaply as fewer. */
    protected const READ = 65_000;

    /** With this many outstanding calls, or a large frame under way, a connection is busy. */
    private const MANY = 512;

    /** Bytes. */
    private const LARGE = 65_536;

    /** Bytes: held calls leave in pieces of this size, so that the peer begins with the first while the next are made. */
    private const HELD = 1_024;

    /** Bytes read at a time of a large frame: about what a socket buffer holds. */
    private const READ_LARGE = 262_144;

    /** What one counts as whose peer may be gone. */
    private const LATE = 1 << 30;

    /** hrtime() in ns. */
    public int $lastUsed = 0;

    /** Whether the pool or cluster has been told that it ended. */
    public bool $reported = false;

    /** Whether it was closed on purpose: that says nothing about the peer, and its calls are not sent again. */
    public bool $retired = false;

    /** What its peer says of its methods, once somebody has asked. */
    public ?Methods $methods = null;

    /** The process that opened it: after a fork it belongs to the parent alone. */
    public readonly int $pid;

    /**
     * It is in the middle of a change. PHP runs signals' handlers and destructors between any two steps: what they ask for waits
     * until the change is done, and their calls take another connection.
     */
    protected bool $entered = false;

    /** Id of the Swoole coroutine that reads for all, or 0. */
    protected int $reader = 0;

    /** @var list<Closure(): void> what was asked for in the middle of a change */
    protected array $postponed = [];

    public function __construct(Session $session, public readonly Address $address)
    {
        parent::__construct($session, $address->isUnix());
        $this->pid = (int) getmypid();
    }

    private function __clone()
    {
    }

    /**
     * Sends a call. It returns without waiting for the answer; in a runtime without coroutines or fibers it waits until all of it is
     * written. The call has an outcome at once when the connection turns out to be dead.
     *
     * @param int $now hrtime() in ns
     */
    final public function submit(Call $call, int $now): void
    {
        $call->connection = $this;
        if (! $this->open || $this->entered) {
            $this->refuse($call);

            return;
        }
        $isLarge = $call->tail !== '' || strlen($call->body) >= self::READ_LARGE;
        $this->entered = true;

        try {
            if ($this->mayBeFast && $this->submitFast($call, $now, false)) {
                $isLarge = $this->session->sendBuffer->length > 0;
            } elseif ($isLarge) {
                $this->session->enqueue($call, $now);
            } else {
                $this->send($this->session->call($call, $now));
            }
        } catch (Throwable $thrown) {
            throw $this->interrupted($thrown);
        }
        $this->entered = false;
        if ($this->postponed !== []) {
            $this->leave();
        }
        if ($isLarge) {
            $this->flush();
        }
        if ($this->session->sendBuffer->length > 0) {
            $this->written($call);
        }
    }

    /**
     * Puts a call into the send buffer, to leave in one write with others: at the latest with flush().
     *
     * @param int $now hrtime() in ns
     */
    final public function hold(Call $call, int $now): void
    {
        $call->connection = $this;
        if (! $this->open || $this->entered) {
            $this->refuse($call);

            return;
        }
        $this->entered = true;

        try {
            $isFast = $this->mayBeFast && $this->submitFast($call, $now, true);
            if (! $isFast && strlen($call->body) < self::READ_LARGE && $call->tail === '') {
                $this->session->sendBuffer->append($this->session->call($call, $now));
            } elseif (! $isFast) {
                $this->session->enqueue($call, $now);
            }
        } catch (Throwable $thrown) {
            throw $this->interrupted($thrown);
        }
        $this->entered = false;
        $this->leave();
        if ($this->session->sendBuffer->length >= self::HELD) {
            $this->flush();
        }
    }

    /**
     * Writes what is held. What the peer does not take at once is written while calls wait.
     */
    abstract public function flush(): void;

    /**
     * Waits until the call has an outcome, which is no later than its deadline, or a message within it has come.
     */
    abstract public function await(Call $call): void;

    /**
     * Waits until one of these calls has an outcome or a message; none has one yet. They belong to this connection, or to others that one caller
     * can wait for together with it, see canJoin().
     *
     * @param non-empty-array<Call> $calls
     */
    abstract public function awaitAny(array $calls): void;

    /**
     * Whether one caller can wait for the calls of both at the same time.
     */
    public function canJoin(self $other): bool
    {
        return $other === $this;
    }

    /**
     * Gives a call up; it has an outcome then.
     */
    final public function cancel(Call $call): void
    {
        if ($this->entered) {
            if ($call->isUnderWay()) {
                $call->state = CallState::Cancelled;
            }
            $this->postponed[] = fn () => $this->cancel($call);

            return;
        }
        $this->change(fn () => $this->session->cancel($call));
        $this->wakeCancelled();
        if ($this->session->peer === Peer::Unknown) {
            // The answer to Hello, if it is there, says whether the peer understands that a call is cancelled.
            $this->receiveNow();
        }
        if ($this->open && $this->session->sendBuffer->length > 0 && $this->pid === getmypid()) {
            $this->flush();
        }
    }

    /**
     * Wakes who waits for a call that was given up elsewhere, in a runtime where that can be.
     */
    protected function wakeCancelled(): void
    {
    }

    /**
     * Whether the exception is one that the runtime throws where a caller waits that is told to stop, and nowhere else.
     */
    public static function isCancellation(Throwable $thrown): bool
    {
        return false;
    }

    /**
     * Sends a message within a call, unless that has ended. What the peer does not take at once is written while calls wait.
     *
     * @param int $kind see MessageKind
     * @param int $flags see Flag
     */
    final public function tell(Call $call, int $kind, int $number, string $body = '', int $flags = Flag::MSGPACK): void
    {
        if ($this->pid !== getmypid()) {
            $this->abandon();
        } elseif ($this->entered) {
            $this->postponed[] = fn () => $this->tell($call, $kind, $number, $body, $flags);
        } else {
            $this->change(fn () => $this->session->tell($call, $kind, $number, $body, $flags));
            if ($this->open && $this->session->sendBuffer->length > 0) {
                $this->flush();
            }
        }
    }

    /**
     * Takes what has come already, without waiting, unless somebody reads anyway.
     */
    final public function receiveNow(): void
    {
        if ($this->open && ! $this->entered && $this->pid === getmypid()) {
            $this->drain();
        }
    }

    /**
     * Whether it takes calls.
     */
    final public function isUsable(): bool
    {
        return $this->open && ! $this->session->goingAway;
    }

    final public function isOpen(): bool
    {
        return $this->open;
    }

    /**
     * Whether the caller has interrupted a change of this connection, and has to take another one.
     */
    final public function isEntered(): bool
    {
        return $this->entered || $this->reader !== 0 && $this->isReader();
    }

    /**
     * Whether another connection would be better for a further call.
     */
    final public function isBusy(): bool
    {
        return $this->session->sendBuffer->length >= self::LARGE
            || $this->session->wanted >= self::LARGE
            || count($this->session->calls) >= self::MANY;
    }

    /**
     * Whether it is good for a further call, as far as is known without asking the peer: open, not busy, and used of late.
     *
     * @param int $now hrtime() in ns
     */
    final public function isFine(int $now): bool
    {
        $session = $this->session;

        return $this->open
            && ! $this->entered
            && ($this->reader === 0 || ! $this->isReader())
            && ! $session->goingAway
            && $session->sendBuffer->length < self::LARGE
            && $session->wanted < self::LARGE
            && count($session->calls) < self::MANY
            && $now - $this->lastUsed <= self::DOUBT;
    }

    final public function isIdle(): bool
    {
        return $this->session->waiting() === 0 && $this->session->sendBuffer->length === 0;
    }

    /**
     * How much is under way, to choose the least busy connection. A large frame counts as much as many calls.
     */
    final public function load(): int
    {
        return $this->session->waiting()
            + ($this->open && $this->session->isLate() ? self::LATE : 0)
            + intdiv($this->session->sendBuffer->length + $this->session->wanted, 1024);
    }

    /**
     * Whether the peer is still there, as far as can be told without waiting. Asked of one that was idle for a while.
     */
    abstract public function probe(): bool;

    /**
     * Ends it, and with it the calls that are outstanding.
     */
    final public function close(string $why = 'the connection was closed'): void
    {
        if ($this->entered) {
            $this->postponed[] = fn () => $this->end($why);
        } else {
            $this->end($why);
        }
    }

    /**
     * Forgets it in a forked child, where the socket is the parent's: nothing is written to it and it is not shut down.
     */
    final public function abandon(): void
    {
        $this->open = $this->entered = false;
        $this->postponed = [];
        $this->retired = true;
        $this->session->lost('it belongs to the process that this one was forked from');
        $this->session->woken = [];
        $this->closeFast();
        $this->forget();
    }

    /**
     * Like close(), for callers that are in the middle of a change.
     */
    final protected function end(string $why): void
    {
        if ($this->open) {
            $this->drainFast();
            $this->open = false;
            $this->session->lost($why);
            $this->closeFast();
            $this->disconnect();
        }
    }

    /**
     * Ends the calls whose time is over; all of them where the peer is silent.
     *
     * @param int $now hrtime() in ns; what had come by then has been received
     */
    final protected function expire(int $now): void
    {
        $this->session->expire($now);
        if ($this->session->isSilent()) {
            $this->end('nothing comes from it any more: its machine, or the network, is down');
        }
    }

    /**
     * Makes a change that nothing else sees half done. Does nothing within another change.
     *
     * @param Closure(): mixed $change
     */
    final protected function change(Closure $change): void
    {
        if ($this->entered) {
            return;
        }
        $this->entered = true;

        try {
            $change();
        } catch (Throwable $thrown) {
            throw $this->interrupted($thrown);
        }
        $this->entered = false;
        $this->leave();
    }

    /**
     * Does what was asked for during a change. The change is over by then: a signal's handler that throws runs as soon as a function
     * is entered, before its first line.
     */
    final protected function leave(): void
    {
        $postponed = $this->postponed;
        $this->postponed = [];
        foreach ($postponed as $do) {
            $do();
        }
    }

    /**
     * A signal's handler or a destructor has thrown something in the middle of a change. How much has been read or written is not
     * known, so the connection is closed.
     */
    protected function interrupted(Throwable $thrown): Throwable
    {
        try {
            $this->end('it was interrupted by ' . $thrown::class);
        } finally {
            // Another signal's handler may throw meanwhile.
            $this->entered = false;
            $this->leave();
        }

        return $thrown;
    }

    /**
     * The error of a signal's handler or a destructor that waits for an answer whose reading it has interrupted: it would never come.
     */
    final protected static function nested(Call $call): LogicException
    {
        return new LogicException(
            "The answer to {$call->method} can't be awaited here, within a signal's handler or a destructor that has interrupted the reading of it:"
            . ' await it afterwards. A new call can be made here.',
        );
    }

    /**
     * Whether the caller is the coroutine that reads for all.
     */
    protected function isReader(): bool
    {
        return false;
    }

    /**
     * Writes a frame, or puts it behind those that wait to be written.
     */
    abstract protected function send(string $frame): void;

    /**
     * Reads until nothing more is there, or READS times. An answer that is in the socket when its time is over has come in time.
     */
    abstract protected function drain(): void;

    /**
     * Waits until a call is written, in a runtime where nothing else would write it.
     */
    protected function written(Call $call): void
    {
    }

    /**
     * Lets go of the socket and wakes those that waited.
     */
    abstract protected function disconnect(): void;

    /**
     * Only lets go of the socket.
     */
    abstract protected function forget(): void;

    /**
     * @return int<1, max> bytes to ask for in the next read
     */
    final protected function readSize(): int
    {
        $wanted = $this->session->wanted;

        return $wanted <= self::READ ? self::READ : max(1, min($wanted, self::READ_LARGE));
    }

    private function refuse(Call $call): void
    {
        $call->state = CallState::Lost;
        $call->sent = false;
        $call->reply = $this->open ? 'it was in use by what this call interrupted' : 'it had been closed before';
    }
}
