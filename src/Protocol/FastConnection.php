<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Goridge\Flag;

use function ctype_xdigit;
use function function_exists;
use function hex2bin;
use function hrtime;
use function is_array;
use function is_string;
use function json_decode;
use function strlen;

use const PHP_OS_FAMILY;

/**
 * What a connection does for its fast path in any runtime: it opens one, sends quick calls there, and sees to those that are not
 * answered soon.
 *
 * A base class and not an object of its own, which would cost each call another method call.
 *
 * @internal
 */
abstract class FastConnection
{
    /** ns after which an unanswered call is taken back, and after which it is looked for such again. */
    protected const OVERDUE = 10_000_000;

    /** So many reads, each of what is there already, are made at most before deadlines count: more than any socket buffer holds. */
    protected const READS = 64;

    private const METHOD = 'GoTask.FastPath';

    /** A connection with fewer calls opens none. */
    private const CALLS = 8;

    /** ns that the broker gets to offer one. */
    private const PATIENCE = 10_000_000_000;

    /** ns for which calls go to the broker when one that was overdue had not begun. One that had shows nothing but a busy machine. */
    private const BROKERED = 50_000_000;

    private const WELCOME = "\x01";

    protected bool $open = true;

    /** The fast path, once it is open. */
    protected ?FastSocket $fast = null;

    /** Whether it has a fast path, or may yet get one. */
    public bool $mayBeFast;

    /** The socket of which it is not known yet whether the broker takes it. */
    private ?FastSocket $opening = null;

    public function __construct(public readonly Session $session, bool $isUnix)
    {
        $this->mayBeFast = $isUnix && PHP_OS_FAMILY === 'Linux' && function_exists('socket_create');
    }

    /**
     * Makes a call on the fast path and waits for its outcome, in fewer steps than submit() and await() take, if all is as it mostly is.
     *
     * @param int $now hrtime() in ns
     * @return bool false: nothing was done
     */
    public function callFast(Call $call, int $now): bool
    {
        return false;
    }

    /**
     * Sends a call on the fast path if it may take it: at once where nothing is outstanding there, else with others.
     *
     * @param int $now hrtime() in ns
     * @param bool $isHeld whether flush() follows
     * @return bool false: it is the broker's
     */
    final protected function submitFast(Call $call, int $now, bool $isHeld): bool
    {
        if ($this->fast === null) {
            $this->openFast($now);

            return false;
        }
        $session = $this->session;
        if (! $session->takeFast($call, $now)) {
            return false;
        }
        if ($session->fast === 0 && ! $isHeld) {
            $this->sendFast($call, $now);

            return true;
        }
        if (! $session->hold($call)) {
            $this->sendHeld();
            $session->hold($call);
        }
        if (! $isHeld) {
            $this->sendHeldSoon();
        }

        return true;
    }

    /**
     * Sends a call at once, with those that are held.
     *
     * @param int $now hrtime() in ns
     */
    final protected function sendFast(Call $call, int $now): void
    {
        $session = $this->session;
        if ($session->held !== []) {
            if (! $session->hold($call)) {
                $this->sendHeld();
                $session->hold($call);
            }
            $this->sendHeld();
        } elseif ($this->fast !== null && $this->fast->send($session->message([$call], $now))) {
            $this->watchFast();
        } else {
            $session->discard($call);
            $session->sendBuffer->append($session->call($call, $now));
        }
    }

    /**
     * Sends the calls that are held in one message; by the broker where there is no room for it.
     */
    final protected function sendHeld(): void
    {
        $session = $this->session;
        $calls = $session->release();
        if ($calls === []) {
            return;
        }
        $now = hrtime(true);
        if ($this->fast !== null && $this->fast->send($session->message($calls, $now))) {
            $this->watchFast();

            return;
        }
        foreach ($calls as $call) {
            $session->discard($call);
            $session->sendBuffer->append($session->call($call, $now));
        }
    }

    /**
     * Takes what has come on the fast path.
     *
     * @return bool whether anything has
     */
    final protected function receiveFast(): bool
    {
        return $this->fast !== null && $this->takeMessage($this->fast->receive());
    }

    /**
     * @param null|string $message what the fast path's socket has given
     * @return bool whether anything has come
     */
    final protected function takeMessage(?string $message): bool
    {
        if ($message === '') {
            return false;
        }

        try {
            if ($message !== null) {
                $this->session->receiveFast($message);
            }
        } catch (ProtocolError) {
            $message = null;
        }
        if ($message === null) {
            $this->closeFast();
            $this->session->takeBack(hrtime(true));
        }
        if ($this->session->givenBack !== []) {
            $this->resendGivenBack();
        }

        return $message !== null;
    }

    /**
     * Reads the fast path dry. Before an outcome counts that came on the ordinary connection, those count that had come here.
     */
    final protected function drainFast(): void
    {
        for ($reads = 0; $reads < self::READS && $this->fast !== null && $this->session->fast > 0 && $this->receiveFast(); $reads++);
    }

    /**
     * Takes back what is overdue, and ends the calls whose time is over.
     */
    final protected function lookAfterFast(): void
    {
        $now = hrtime(true);
        $session = $this->session;
        $session->takeBack($now - self::OVERDUE);
        if ($session->earliest <= $now) {
            $this->drainFast();
            $session->expire($now);
        }
    }

    /**
     * Sends calls to the broker that workers have given back: they leave with what else is in the send buffer.
     */
    final protected function resendGivenBack(): void
    {
        $session = $this->session;
        while ($session->givenBack !== []) {
            $calls = $session->givenBack;
            $session->givenBack = [];
            foreach ($calls as $call) {
                $session->sendBuffer->append($session->call($call, hrtime(true)));
            }
        }
        if ($session->isHeldUp) {
            $session->isHeldUp = false;
            $session->brokeredUntil = hrtime(true) + self::BROKERED;
        }
    }

    /**
     * Lets go of the fast path; what is outstanding there is not taken back by this.
     */
    final protected function closeFast(): void
    {
        $this->mayBeFast = false;
        if ($this->fast !== null) {
            $this->unwatchFast();
        }
        $this->fast?->close();
        $this->opening?->close();
        $this->fast = $this->opening = null;
    }

    /**
     * Opens the other socket, where this runtime can.
     *
     * @return null|FastSocket null: it can't, or not now
     */
    protected function connectFast(): ?FastSocket
    {
        return null;
    }

    /**
     * Something is outstanding on the fast path from now on.
     */
    protected function watchFast(): void
    {
    }

    /**
     * The fast path is about to be closed.
     */
    protected function unwatchFast(): void
    {
    }

    /**
     * Sends what is held when this turn of the event loop is over; where there is none, at once.
     */
    protected function sendHeldSoon(): void
    {
        $this->sendHeld();
    }

    /**
     * Takes the next step to open a fast path: asks for one, connects when it is offered, begins to use it when the broker has taken it.
     */
    private function openFast(int $now): void
    {
        $session = $this->session;
        if ($this->opening !== null) {
            $answer = $this->opening->receive();
            if ($answer === self::WELCOME) {
                [$this->fast, $this->opening] = [$this->opening, null];
            } elseif ($answer !== '') {
                $this->closeFast();
            }
        } elseif ($session->question !== null) {
            if ($session->question->state !== CallState::Waiting) {
                $this->acceptOffer($session->question);
            }
        } elseif ($session->total() > self::CALLS && $session->peer !== Peer::Unknown) {
            $said = $session->peer === Peer::Broker ? json_decode($session->greeting, true) : null;
            if (! is_array($said) || ($said['fast'] ?? null) !== true) {
                $this->mayBeFast = false;

                return;
            }
            $session->question = new Call(self::METHOD, Flag::JSON, '', 0, $now + self::PATIENCE, self::PATIENCE / 1e9);
            $session->sendBuffer->append($session->call($session->question, $now));
        }
    }

    private function acceptOffer(Call $question): void
    {
        $said = $question->hasResult() ? json_decode($question->reply, true) : null;
        $token = is_array($said) ? $said['token'] ?? null : null;
        if (is_string($token) && strlen($token) === 32 && ctype_xdigit($token)) {
            $this->opening = $this->connectFast();
            if ($this->opening?->send((string) hex2bin($token)) === true) {
                return;
            }
        }
        $this->closeFast();
    }
}
