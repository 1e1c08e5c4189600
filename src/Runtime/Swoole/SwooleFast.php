<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Swoole;

use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\FastSocket;
use Reasno\GoTask\Protocol\Outcome;
use Reasno\GoTask\Runtime\Stream\FastStream;
use Swoole\Coroutine;
use Swoole\Event;
use Swoole\Runtime;
use Swoole\Timer;
use Throwable;
use WeakReference;

use function count;
use function getmypid;
use function intdiv;

use const SWOOLE_HOOK_SOCKETS;

/**
 * How a connection in Swoole uses its fast path. The event loop watches that socket for as long as something is outstanding there, and
 * a little longer: to have a coroutine wait for each message costs two system calls more. So nobody reads there for others, and all
 * who wait are parked.
 *
 * @internal
 */
abstract class SwooleFast extends SwooleWaking
{
    /** Id of the timer that looks for what is overdue, while the socket is watched; else 0. */
    private int $timer = 0;

    private bool $sendsSoon = false;

    public function callFast(Call $call, int $now): bool
    {
        $session = $this->session;
        $cid = Coroutine::getCid();
        if (
            $this->fast === null
            || $this->entered
            || $cid <= 0
            || $cid === $this->reader
            || $session->goingAway
            || $this->pid !== getmypid()
            || count($session->calls) > $session->fast // somebody has to read the ordinary connection
        ) {
            return false;
        }
        $call->connection = $this;
        $this->lastUsed = $now;
        $this->entered = true;

        try {
            $isFast = $this->submitFast($call, $now, false);
        } catch (Throwable $thrown) {
            throw $this->interrupted($thrown);
        }
        $this->entered = false;
        if ($this->postponed !== []) {
            $this->leave();
        }
        if (! $isFast) {
            return false;
        }
        // await(), in fewer steps: its outcome is most likely the next thing that happens to it.
        if ($call->outcome === Outcome::Waiting) {
            $call->coroutine = $cid;
            $this->waiting[$cid] = true;
            $resumed = false;

            try {
                $resumed = Coroutine::yield();
            } finally {
                unset($this->waiting[$cid]);
                $call->coroutine = 0;
                if (! $resumed) {
                    $this->cancel($call);
                }
            }
            if ($call->outcome === Outcome::Waiting) { // @phpstan-ignore identical.alwaysTrue (others settle it)
                $this->await($call);
            }
        }

        return true;
    }

    protected function connectFast(): ?FastSocket
    {
        // Swoole's hooks replace the functions of ext-sockets by its own, which take such a socket for a raw one.
        $hooks = Runtime::getHookFlags();
        Runtime::setHookFlags($hooks & ~SWOOLE_HOOK_SOCKETS);

        try {
            return FastStream::open($this->address);
        } finally {
            Runtime::setHookFlags($hooks);
        }
    }

    protected function watchFast(): void
    {
        if ($this->timer !== 0 || ! $this->fast instanceof FastStream) {
            return;
        }
        $weak = WeakReference::create($this);
        Event::add($this->fast->stream, static function () use ($weak): void {
            $weak->get()?->receiveFastNow();
        });
        $this->timer = (int) Timer::tick(intdiv(self::OVERDUE, 1_000_000), static function () use ($weak): void {
            $weak->get()?->tick();
        });
    }

    protected function unwatchFast(): void
    {
        if ($this->timer !== 0 && $this->fast instanceof FastStream && $this->pid === getmypid()) {
            Event::del($this->fast->stream);
            Timer::clear($this->timer);
            $this->timer = 0;
        }
    }

    protected function sendHeldSoon(): void
    {
        if (! $this->sendsSoon) {
            $this->sendsSoon = true;
            Event::defer(function (): void {
                $this->sendsSoon = false;
                if ($this->session->held !== []) {
                    $this->flush();
                }
            });
        }
    }

    private function receiveFastNow(): void
    {
        if ($this->entered) {
            return;
        }
        $this->entered = true;

        try {
            $this->receiveFast();
        } catch (Throwable $thrown) {
            throw $this->interrupted($thrown);
        }
        $this->entered = false;
        if ($this->postponed !== []) {
            $this->leave();
        }
        $this->goOn();
    }

    private function tick(): void
    {
        if ($this->session->fast === 0 && $this->waiting === []) {
            $this->unwatchFast();
        } else {
            $this->change($this->lookAfterFast(...));
            $this->goOn();
            $this->readForAll();
        }
    }

    /**
     * Resumes those whose calls have an outcome, and sends what there is to be sent.
     */
    private function goOn(): void
    {
        if ($this->session->woken !== []) {
            $this->wake();
        }
        if ($this->session->sendBuffer->length > 0) {
            $this->flush();
            $this->readForAll();
        }
    }

    /**
     * Reads the ordinary connection in a coroutine of its own, as long as there is something to come and nobody else does.
     */
    final protected function readForAll(): void
    {
        if ($this->reading || ! $this->open || ! $this->session->expectsMore()) {
            return;
        }
        Coroutine::create(function (): void {
            while ($this->open && ! $this->reading && $this->session->expectsMore()) {
                $this->readOnce(2 * self::OVERDUE);
            }
        });
    }
}
