<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Swoole;

use Swoole\Coroutine;
use Swoole\Event;

use function array_key_last;
use function hrtime;

/**
 * How a connection in Swoole resumes the coroutines that wait: when their answers are there, or to read for the others.
 *
 * @internal
 */
abstract class SwooleWaking extends SwooleWriting
{
    /** So many coroutines are resumed before the event loop has a turn, which costs as much as a tenth of a call. */
    private const TURN = 8;

    /** So many readers may hand over to each other without one of them having had to wait; then others have their turn. */
    private const RELAY = 16;

    /** @var array<int, true> ids of coroutines that wait */
    protected array $parked = [];

    /** @var array<int, true> the same of those that read for nobody: their answers come on the fast path, or did not */
    protected array $waiting = [];

    private int $relay = 0;

    /** Counts up whenever the reader begins or ends to let the event loop have a turn. */
    private int $turns = 0;

    /**
     * Resumes those whose calls have an outcome. What they send meanwhile leaves in one write.
     *
     * @param int $reader the id of the coroutine that this is called in, if it is to let others have turns in between
     * @return bool false when it was told to stop waiting
     */
    final protected function wake(int $reader = 0): bool
    {
        if ($this->corked++ === 0) {
            $this->corkedAt = hrtime(true);
        }
        $session = $this->session;
        $buffer = $session->sendBuffer;
        $stopped = false;
        $left = self::TURN;

        try {
            while ($session->woken !== []) {
                $woken = $session->woken;
                $session->woken = [];
                foreach ($woken as $call) {
                    if ($left === 0) {
                        $left = self::TURN;
                        $stopped = $reader !== 0 && ! $this->turn($reader) || $stopped;
                    }
                    $cid = $call->coroutine;
                    // Another call's answer, or a coroutine that was resumed before it, may have woken or cancelled it.
                    if ($cid !== 0 && (isset($this->parked[$cid]) || isset($this->waiting[$cid]))) {
                        $call->coroutine = 0;
                        unset($this->parked[$cid], $this->waiting[$cid]);
                        $left--;
                        Coroutine::resume($cid);
                        if ($buffer->length > 0) {
                            $this->flushWhatWaited();
                        }
                    }
                }
            }
        } finally {
            if (--$this->corked === 0 && $buffer->length > 0) {
                $this->flush();
            }
        }

        return ! $stopped;
    }

    /**
     * Lets another coroutine read, when this one no longer does and others wait.
     *
     * The youngest is chosen: its answer is likely to come last, so that it need not hand over soon.
     */
    final protected function handOver(): void
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

    /**
     * Lets the event loop have a turn, so that coroutines begin in between which take over the stacks of those that ended. The C
     * library returns to the system what many give back at once.
     *
     * @return bool false when the coroutine was told to stop waiting
     */
    private function turn(int $cid): bool
    {
        $turn = ++$this->turns;
        Event::defer(function () use ($turn, $cid): void {
            // Otherwise it was resumed meanwhile, and may wait for something else by now.
            if ($turn === $this->turns) {
                Coroutine::resume($cid);
            }
        });

        try {
            return Coroutine::yield();
        } finally {
            $this->turns++;
        }
    }

    private function resumeYoungest(): void
    {
        $cid = array_key_last($this->parked);
        if ($cid !== null) {
            unset($this->parked[$cid]);
            Coroutine::resume($cid);
        }
    }
}
