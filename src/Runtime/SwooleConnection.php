<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

use LogicException;
use Reasno\GoTask\Address;
use Reasno\GoTask\Connection\Connection;
use Reasno\GoTask\Connection\Outcome;
use Reasno\GoTask\Connection\Pending;
use Reasno\GoTask\Connection\Session;
use Reasno\GoTask\Exception\ProtocolError;
use Swoole\Coroutine;
use Swoole\Coroutine\Socket;
use Swoole\Event;
use Throwable;

use function array_key_last;
use function hrtime;
use function strlen;

use const SOCKET_ECANCELED;
use const SOCKET_ETIMEDOUT;

/**
 * The first coroutine that waits reads for all, the others are parked and resumed as their answers come. The reader hands its
 * office to one of them when its own answer is there. So no coroutine is left when nobody waits, and a call alone costs no switch
 * that its own waiting does not.
 *
 * @internal
 */
final class SwooleConnection extends Connection
{
    /** Seconds that a write may wait before a coroutine of its own takes it over; the least that Swoole's timers know. */
    private const PATIENCE = 0.001;

    /** Seconds after which a write that is stuck looks whether there is something to read that nobody reads. */
    private const STUCK = 0.02;

    /** Calls made by resumed coroutines leave together, but none waits for longer than this: ns … */
    private const HELD = 100_000;

    /** … or than this many bytes take to come together. */
    private const HELD_BYTES = 2_048;

    /** So many coroutines are resumed before the event loop has a turn: of those that end, the C library keeps so many stacks. */
    private const TURN = 2;

    /** So many readers may hand over to each other without one of them having had to wait; then others have their turn. */
    private const RELAY = 16;

    private ?Socket $socket;

    private bool $reading = false;

    private bool $writing = false;

    /** Not 0 while coroutines are being resumed: what they send is written when they have all been. */
    private int $corked = 0;

    private int $corkedAt = 0;

    private int $relay = 0;

    /** Counts up whenever the reader begins or ends to let the event loop have a turn. */
    private int $turns = 0;

    /** @var array<int, true> ids of coroutines that wait */
    private array $parked = [];

    public function __construct(Session $session, Address $address, Socket $socket)
    {
        parent::__construct($session, $address);
        $this->socket = $socket;
    }

    protected function send(Pending $call, string $frame, int $now): void
    {
        $outbox = $this->session->outbox;
        if ($this->writing || $this->corked > 0 || $outbox->length > 0) {
            $outbox->append($frame);
            if ($this->corked === 0 || $outbox->length >= self::HELD_BYTES || $now - $this->corkedAt > self::HELD) {
                $this->corkedAt = $now;
                $this->flush();
            }

            return;
        }
        $written = $this->write($frame, self::PATIENCE);
        if (! $this->open) {
            return;
        }
        if ($written !== strlen($frame)) {
            $outbox->prepend($frame, $written);
            $this->continueWriting();
        } elseif ($outbox->length > 0) { // @phpstan-ignore greater.alwaysFalse (others append while this one waits)
            $this->flush();
        }
    }

    public function flush(): void
    {
        $outbox = $this->session->outbox;
        while ($this->open && ! $this->writing && $outbox->length > 0) {
            $bytes = $outbox->next();
            $written = $this->write($bytes, self::PATIENCE);
            if (! $this->open) {
                return;
            }
            $outbox->advance($written);
            if ($written !== strlen($bytes)) {
                $this->continueWriting();

                return;
            }
        }
    }

    public function await(Pending $call): void
    {
        if ($call->outcome === Outcome::Waiting) {
            $this->wait($call, []);
        }
    }

    public function awaitAny(array $calls): void
    {
        foreach ($calls as $call) {
            if ($call->outcome !== Outcome::Waiting) {
                return;
            }
        }
        $this->wait($call, $calls);
    }

    public function probe(): bool
    {
        if ($this->open && $this->socket?->checkLiveness() !== true) {
            $this->close('the peer closed it');
        }

        return $this->isUsable();
    }

    protected function drain(): void
    {
        if ($this->reading || Coroutine::getCid() < 0) {
            return;
        }
        $this->reading = true;

        try {
            $this->receiveWhatIsThere();
        } finally {
            $this->reading = false;
        }
        $this->handOver();
    }

    protected function disconnect(): void
    {
        // Resumes whoever reads or writes there.
        $this->socket?->close();
        $this->socket = null;
        $this->wake();
    }

    protected function forget(): void
    {
        // Not close(), which calls shutdown(2) and so ends the parent's connection.
        $this->socket = null;
    }

    /**
     * Until one of the calls has an outcome.
     *
     * @param array<Pending> $calls all of them, or empty when there is only the one
     */
    private function wait(Pending $call, array $calls): void
    {
        $cid = Coroutine::getCid();
        if ($cid < 0) {
            throw new LogicException("{$call->method} was called in a coroutine: wait for its answer in one.");
        }

        try {
            while (! self::isDone($call, $calls)) {
                if (! $this->reading) {
                    $this->read($call, $calls);
                    continue;
                }
                $this->mark($call, $calls, $cid);
                $this->parked[$cid] = true;
                $resumed = Coroutine::yield();
                unset($this->parked[$cid]);
                if (! $resumed) {
                    // Coroutine::cancel()
                    $this->giveUp($call, $calls);
                }
            }
        } catch (Throwable $thrown) {
            unset($this->parked[$cid]);
            $this->giveUp($call, $calls);

            throw $thrown;
        } finally {
            $this->mark($call, $calls, 0);
            $this->handOver();
        }
    }

    /**
     * Reads for all, until one of the calls has an outcome.
     *
     * @param array<Pending> $calls
     */
    private function read(Pending $call, array $calls): void
    {
        $this->mark($call, $calls, 0);
        $this->reading = true;

        try {
            while (! self::isDone($call, $calls)) {
                $now = hrtime(true);
                $wait = $this->session->earliest - $now;
                if ($wait <= 0) {
                    $this->receiveWhatIsThere();
                    $this->session->expire($now);
                    $this->flush();
                    $this->wake();
                } elseif (! $this->receive($wait, Coroutine::getCid())) {
                    $this->giveUp($call, $calls);
                }
            }
        } finally {
            $this->reading = false;
        }
    }

    /**
     * @param int $reader see wake()
     * @return bool false when the coroutine was told to stop waiting
     */
    private function receive(int $wait, int $reader = 0): bool
    {
        $socket = $this->socket;
        if ($socket === null) {
            return true;
        }
        $bytes = $socket->recv($this->readSize(), $wait / 1e9 + self::PATIENCE);
        if ($bytes === false || $bytes === '') {
            return $this->nothingRead($socket, $bytes);
        }

        try {
            $this->session->receive($bytes);
        } catch (ProtocolError $error) {
            $this->close($error->getMessage());

            return true;
        }
        if ($this->session->outbox->length > 0) {
            $this->flush();
        }

        return $this->session->woken === [] || $this->wake($reader);
    }

    /**
     * The same as often as that takes no waiting. Whoever calls it is the one who reads.
     */
    private function receiveWhatIsThere(): void
    {
        for ($reads = 0; $reads < self::READS && $this->open && ($this->socket?->peek(1) ?? false) !== false; $reads++) {
            $this->receive(1);
        }
    }

    private function nothingRead(Socket $socket, false|string $bytes): bool
    {
        if (! $this->open) {
            return true;
        }
        if ($bytes === '') {
            $this->close('the peer closed it');

            return true;
        }
        if ($socket->errCode === SOCKET_ECANCELED) {
            return false;
        }
        if ($socket->errCode !== SOCKET_ETIMEDOUT) {
            $this->close((string) $socket->errMsg);
        }

        return true;
    }

    /**
     * Resumes those whose calls have an outcome. What they send meanwhile leaves in one write.
     *
     * @param int $reader the id of the coroutine that this is called in, if it is to let others have turns in between
     * @return bool false when it was told to stop waiting
     */
    private function wake(int $reader = 0): bool
    {
        if ($this->corked++ === 0) {
            $this->corkedAt = hrtime(true);
        }
        $stopped = false;
        $left = self::TURN;

        try {
            while ($this->session->woken !== []) {
                $woken = $this->session->woken;
                $this->session->woken = [];
                foreach ($woken as $call) {
                    $cid = $call->coroutine;
                    // It may have been woken by another call's answer, or cancelled, by one that was resumed before it.
                    if ($cid !== 0 && isset($this->parked[$cid])) {
                        $call->coroutine = 0;
                        unset($this->parked[$cid]);
                        Coroutine::resume($cid);
                        $this->flushWhatWaited();
                        if (--$left === 0) {
                            $left = self::TURN;
                            $stopped = $reader !== 0 && ! $this->turn($reader) || $stopped;
                        }
                    }
                }
            }
        } finally {
            if (--$this->corked === 0 && $this->session->outbox->length > 0) {
                $this->flush();
            }
        }

        return ! $stopped;
    }

    /**
     * Lets the event loop have a turn. Each coroutine that ends gives back a stack of 2 MiB, and what many give back at once the C
     * library returns to the system, only to get it anew for those that begin next.
     *
     * @return bool false when the coroutine was told to stop waiting
     */
    private function turn(int $cid): bool
    {
        $turn = ++$this->turns;
        Event::defer(function () use ($turn, $cid): void {
            // Else something has resumed it in between, and it may wait for something else by now.
            if ($turn === $this->turns) {
                Coroutine::resume($cid);
            }
        });
        $resumed = Coroutine::yield();
        $this->turns++;

        return $resumed;
    }

    private function flushWhatWaited(): void
    {
        if ($this->session->outbox->length > 0 && ($now = hrtime(true)) - $this->corkedAt > self::HELD) {
            $this->corkedAt = $now;
            $this->flush();
        }
    }

    /**
     * Lets another coroutine read, when this one no longer does and others wait.
     *
     * The youngest is chosen: its answer is likely to come last, so that it need not hand over soon.
     */
    private function handOver(): void
    {
        if ($this->reading || $this->parked === []) {
            return;
        }
        if ($this->relay < self::RELAY) {
            $this->relay++;
            $this->resumeYoungest();
            $this->relay--;

            return;
        }
        Event::defer(function (): void {
            if (! $this->reading) {
                $this->resumeYoungest();
            }
        });
    }

    private function resumeYoungest(): void
    {
        $cid = array_key_last($this->parked);
        if ($cid !== null) {
            unset($this->parked[$cid]);
            Coroutine::resume($cid);
        }
    }

    /**
     * One coroutine at a time writes; what others send meanwhile is appended to the outbox.
     *
     * @param float $patience seconds
     * @return int bytes; 0 when none were taken in that time, or the connection is gone
     * @phpstan-impure
     */
    private function write(string $bytes, float $patience): int
    {
        $this->writing = true;
        $written = $this->socket?->send($bytes, $patience);
        $this->writing = false;

        return (int) $written;
    }

    /**
     * The peer takes no more for now, so that this coroutine can go on to read.
     */
    private function continueWriting(): void
    {
        if ($this->open && ! $this->writing) {
            $this->writing = true;
            Coroutine::create(function (): void {
                try {
                    $this->writeAll();
                } finally {
                    $this->writing = false;
                }
            });
        }
    }

    /**
     * Writes until nothing waits to be written, or nobody waits for an answer.
     */
    private function writeAll(): void
    {
        $outbox = $this->session->outbox;
        while ($this->open && $outbox->length > 0 && $this->session->isWaiting()) {
            $written = $this->write($outbox->next(), self::STUCK);
            $this->writing = true;
            if (! $this->open) {
                return;
            }
            if ($written > 0) {
                $outbox->advance($written);
            } elseif ($this->socket?->errCode !== SOCKET_ETIMEDOUT) {
                $this->broken((string) $this->socket?->errMsg);
            } elseif (! $this->reading) {
                // The peer may be waiting for us to read what nobody here waits for.
                $this->readOnce();
            }
        }
    }

    /**
     * The peer takes no more. What it had written before that still counts.
     */
    private function broken(string $why): void
    {
        if ($this->reading) {
            // The reader will find it, and the end of the stream behind it.
            Coroutine::sleep(self::STUCK);
        } else {
            do {
                $before = $this->session->count();
                $this->readOnce();
            } while ($this->open && ! $this->reading && $this->session->count() < $before);
        }
        $this->close($why);
    }

    private function readOnce(): void
    {
        $this->reading = true;

        try {
            $now = hrtime(true);
            if ($this->session->earliest <= $now) {
                $this->receiveWhatIsThere();
                $this->session->expire($now);
                $this->wake();
            }
            $this->receive(1);
        } finally {
            $this->reading = false;
        }
        $this->handOver();
    }

    /**
     * @param array<Pending> $calls
     */
    private function giveUp(Pending $call, array $calls): void
    {
        $this->cancel($call);
        foreach ($calls as $other) {
            $this->cancel($other);
        }
    }

    /**
     * @param array<Pending> $calls
     */
    private function mark(Pending $call, array $calls, int $cid): void
    {
        $call->coroutine = $cid;
        foreach ($calls as $other) {
            $other->coroutine = $cid;
        }
    }

    /**
     * @param array<Pending> $calls
     */
    private static function isDone(Pending $call, array $calls): bool
    {
        if ($call->outcome !== Outcome::Waiting) {
            return true;
        }
        foreach ($calls as $other) {
            if ($other->outcome !== Outcome::Waiting) {
                return true;
            }
        }

        return false;
    }
}
