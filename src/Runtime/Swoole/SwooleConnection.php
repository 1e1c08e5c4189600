<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Swoole;

use LogicException;
use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Runtime\Stream\Descriptor;
use Swoole\Coroutine;
use Swoole\Coroutine\Socket;
use Swoole\Timer;
use Throwable;

use function count;
use function getmypid;
use function hrtime;
use function intdiv;
use function max;

use const SOCKET_ECANCELED;
use const SOCKET_ETIMEDOUT;

/**
 * The first coroutine that waits reads for all; the others are parked, and resumed as their answers come. When its own answer is
 * there, the reader lets another waiting coroutine read. So no coroutine is left when nobody waits, and a call alone costs no switch
 * beside that of its own waiting.
 *
 * @internal
 */
final class SwooleConnection extends SwooleFast
{
    /** Whether the reader was cancelled only to look whether its call has ended. */
    private bool $isToLook = false;

    public function __destruct()
    {
        $this->closeFast();
        if ($this->address->tls && $this->pid !== getmypid()) {
            $this->forget();
        }
    }

    public function await(Call $call): void
    {
        if ($call->state === CallState::Waiting) {
            $this->wait($call, [], $call->micros > 0);
        }
    }

    public function awaitAny(array $calls): void
    {
        foreach ($calls as $call) {
            if ($call->state !== CallState::Waiting) {
                return;
            }
        }
        foreach ($calls as $call) {
            if ($call->micros > 0) {
                $this->wait($call, $calls, true);

                return;
            }
        }
        $this->wait($call, $calls, false);
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
        $this->drainFast();
        if ($this->reading || Coroutine::getCid() < 0) {
            return;
        }
        $this->reading = true;
        $this->reader = Coroutine::getCid();

        try {
            $this->receiveWhatIsThere();
        } finally {
            $this->reading = false;
            $this->reader = 0;
        }
        $this->handOver();
    }

    protected function readOnce(int $wait = 1): void
    {
        $this->reading = true;
        $this->reader = Coroutine::getCid();

        try {
            $now = hrtime(true);
            if ($this->session->earliest <= $now) {
                $this->receiveWhatIsThere();
                $this->expire($now);
                $this->wake();
            }
            $this->receive($wait);
        } finally {
            $this->reading = false;
            $this->reader = 0;
        }
        $this->handOver();
    }

    protected function isReader(): bool
    {
        return $this->reader === Coroutine::getCid();
    }

    protected function wakeCancelled(): void
    {
        $this->wake();
        // The reader may wait for that call. One that writes is not interrupted: it reads soon.
        if ($this->reader !== 0 && $this->reader !== Coroutine::getCid() && ! $this->writing) {
            $this->isToLook = true;
            if (! Coroutine::cancel($this->reader)) {
                $this->isToLook = false;
            }
        }
    }

    protected function disconnect(): void
    {
        // Resumes whoever reads or writes there.
        $this->socket?->close();
        $this->socket = null;
        $this->wake();
    }

    protected function detach(): void
    {
        if ($this->socket !== null) {
            Descriptor::detach($this->socket->fd);
        }
    }

    protected function forget(): void
    {
        if ($this->address->tls && $this->pid !== getmypid()) {
            $this->detach();
        }
        $this->closeFast();
        // Not close(), which calls shutdown(2) and so ends the parent's connection.
        $this->socket = null;
    }

    /**
     * Waits until one of the calls has an outcome; none has one yet.
     *
     * @param array<Call> $calls all of them, or empty when there is only the one
     * @param bool $isFast whether one of them is on the fast path: its answer may come on either socket, and others read both
     */
    private function wait(Call $call, array $calls, bool $isFast): void
    {
        $cid = Coroutine::getCid();
        if ($cid < 0) {
            throw new LogicException("{$call->method} was called in a coroutine: wait for its answer in one.");
        }
        if ($this->reading && $this->reader === $cid) {
            throw self::nested($call);
        }

        try {
            do {
                if ($isFast && count($this->session->calls) > $this->session->fast) {
                    $this->readForAll();
                    if ($call->state !== CallState::Waiting || $calls !== [] && self::isAnyDone($calls)) {
                        break;
                    }
                } elseif (! $isFast && ! $this->reading) {
                    $this->read($call, $calls, $cid);
                    break;
                }
                $call->coroutine = $cid;
                if ($calls !== []) {
                    self::mark($calls, $cid);
                }
                if ($isFast) {
                    $this->waiting[$cid] = true;
                } else {
                    $this->parked[$cid] = true;
                }
                $timer = $isFast || ! $call->isUntimed && $call->exchange === null ? 0 : $this->wakeInTime($cid);
                $resumed = Coroutine::yield();
                if ($timer !== 0) {
                    Timer::clear($timer);
                }
                unset($this->parked[$cid], $this->waiting[$cid]);
                if (! $resumed) {
                    // Coroutine::cancel()
                    $this->giveUp($call, $calls);
                }
            } while ($call->state === CallState::Waiting && ($calls === [] || ! self::isAnyDone($calls)));
        } catch (Throwable $thrown) {
            unset($this->parked[$cid], $this->waiting[$cid]);
            $this->giveUp($call, $calls);

            throw $thrown;
        } finally {
            $call->coroutine = 0;
            if ($calls !== []) {
                self::mark($calls, 0);
            }
            if ($this->parked !== []) {
                $this->handOver();
            } elseif (! $isFast && $this->waiting !== []) {
                $this->readForAll();
            }
        }
    }

    /**
     * Wakes a parked coroutine when the time of a call is over that the broker does not know: the reader waits for as long as those calls
     * allow that were there when it began.
     *
     * @return int id of the timer
     */
    private function wakeInTime(int $cid): int
    {
        return (int) Timer::after(max(1, intdiv($this->session->earliest - hrtime(true), 1_000_000) + 1), function () use ($cid): void {
            $this->expire(hrtime(true));
            $this->flush();
            $this->wake();
            if (isset($this->parked[$cid])) {
                unset($this->parked[$cid]);
                Coroutine::resume($cid);
            }
        });
    }

    /**
     * Reads for all, until one of the calls has an outcome.
     *
     * @param array<Call> $calls
     * @param int $cid of the coroutine that this is
     */
    private function read(Call $call, array $calls, int $cid): void
    {
        $call->coroutine = 0;
        if ($calls !== []) {
            self::mark($calls, 0);
        }
        $session = $this->session;
        $this->reading = true;
        $this->reader = $cid;

        try {
            do {
                $now = hrtime(true);
                $wait = $session->earliest - $now;
                if ($wait <= 0) {
                    $this->receiveWhatIsThere();
                    $this->expire($now);
                    $this->flush();
                    $this->wake();
                } elseif (! $this->receive($wait)) {
                    $this->giveUp($call, $calls);
                }
            } while ($call->state === CallState::Waiting && ($calls === [] || ! self::isAnyDone($calls)));
        } finally {
            $this->reading = false;
            $this->reader = 0;
        }
    }

    /**
     * @return bool false when the coroutine was told to stop waiting
     */
    private function receive(int $wait): bool
    {
        $socket = $this->socket;
        if ($socket === null) {
            return true;
        }
        $session = $this->session;

        try {
            $bytes = $socket->recv($session->wanted <= self::READ ? self::READ : $this->readSize(), $wait / 1e9 + self::PATIENCE);
            if ($bytes === false || $bytes === '') {
                return $this->nothingRead($socket, $bytes);
            }
            if ($session->fast > 0) {
                $this->drainFast();
            }
            $session->receive($bytes);
            if ($session->givenBack !== []) {
                $this->resendGivenBack();
            }
        } catch (ProtocolError $error) {
            $this->close($error->getMessage());

            return true;
        } catch (Throwable $thrown) {
            if (! self::isCancellation($thrown)) {
                // A signal's handler threw it: how much has been read is not known.
                $this->end('it was interrupted by ' . $thrown::class);
            }

            throw $thrown;
        }
        if ($session->sendBuffer->length > 0) {
            $this->flush();
        }

        if ($session->woken !== []) {
            $this->wake();
        }

        return true;
    }

    /**
     * Receives as long as that takes no waiting. The caller is the reader.
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
            [$isToLook, $this->isToLook] = [$this->isToLook, false];

            return $isToLook;
        }
        if ($socket->errCode !== SOCKET_ETIMEDOUT) {
            $this->close((string) $socket->errMsg);
        }

        return true;
    }

    /**
     * @param array<Call> $calls
     */
    private function giveUp(Call $call, array $calls): void
    {
        $this->cancel($call);
        foreach ($calls as $other) {
            $this->cancel($other);
        }
    }

    /**
     * @param array<Call> $calls
     */
    private static function mark(array $calls, int $cid): void
    {
        foreach ($calls as $call) {
            $call->coroutine = $cid;
        }
    }

    /**
     * @param array<Call> $calls
     */
    private static function isAnyDone(array $calls): bool
    {
        foreach ($calls as $call) {
            if ($call->state !== CallState::Waiting) {
                return true;
            }
        }

        return false;
    }
}
