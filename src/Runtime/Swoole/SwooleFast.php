<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Swoole;

use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\FastSocket;
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

    /** Id of the coroutine that keeps stacks, see keepStacks(), or 0; and for how many it was begun. */
    private int $keeper = 0;

    private int $kept = 0;

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
        $this->lastUsed = $now;
        $this->entered = true;

        try {
            if (! $session->takeFast($call, $now)) {
                $this->entered = false;

                return false;
            }
            $call->connection = $this;
            // submitFast(), in fewer steps. Where others may come in this turn of the loop, the first one waits for them, too: a message
            // of its own would cost two system calls and a coroutine here, and wake a worker once more, or a second one.
            if ($session->fast === 0 && ! $session->wasShared || ! $session->hold($call)) {
                $this->sendFast($call, $now);
            } elseif (! $this->sendsSoon) {
                $this->sendHeldSoon();
            }
        } catch (Throwable $thrown) {
            throw $this->interrupted($thrown);
        }
        $this->entered = false;
        if ($this->postponed !== []) {
            $this->leave();
        }
        if ($session->sendBuffer->length > 0) {
            $this->flush();
        }
        // await(), in fewer steps: its outcome is most likely the next thing that happens to it.
        if ($call->state === CallState::Waiting) {
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
            if ($call->state === CallState::Waiting) { // @phpstan-ignore identical.alwaysTrue (others settle it)
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
            $this->timer = $this->kept = 0;
            [$keeper, $this->keeper] = [$this->keeper, 0];
            if ($keeper > 0) {
                Coroutine::resume($keeper);
            }
        }
    }

    protected function sendHeldSoon(): void
    {
        // Those that are being resumed may make more: wake() sends them together.
        if (! $this->sendsSoon && $this->waking === 0) {
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
        if ($this->entered || $this->fast === null) {
            return;
        }
        $this->entered = true;

        try {
            $this->takeMessage($this->fast->receive());
        } catch (Throwable $thrown) {
            throw $this->interrupted($thrown);
        }
        $this->entered = false;
        if ($this->postponed !== []) {
            $this->leave();
        }
        $woken = $this->session->woken;
        if (count($woken) + $this->session->fast > $this->kept) {
            $this->keepStacks(count($woken) + $this->session->fast);
        }
        if (count($woken) === 1 && $this->waking === 0 && isset($this->waiting[$cid = $woken[0]->coroutine])) {
            // wake(), in fewer steps.
            $this->session->woken = [];
            $woken[0]->coroutine = 0;
            unset($this->waiting[$cid], $woken);
            Coroutine::resume($cid);
        }
        $this->goOn();
    }

    /**
     * Keeps the memory of that many coroutines' stacks for those to come, for as long as the socket is watched.
     *
     * The C library gives back to the system what is free at the end of its heap, from 4 MiB on: two stacks. Those whose answers come in
     * one message end together, and those that begin next would get their stacks anew, page by page, which costs more than the call. A
     * coroutine that waits, with its stack behind theirs, prevents that.
     */
    private function keepStacks(int $coroutines): void
    {
        // Nobody would end it where the socket was closed meanwhile.
        if ($this->timer !== 0) {
            $old = $this->keeper;
            $this->kept = $coroutines;
            $this->keeper = (int) Coroutine::create(static function (): void {
                Coroutine::yield();
            });
            if ($old > 0) {
                Coroutine::resume($old);
            }
        }
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
        } elseif ($this->session->held !== []) {
            $this->flush();
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
