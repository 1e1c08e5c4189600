<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Swoole;

use Swoole\Coroutine;
use Swoole\Event;

use function array_key_last;

/**
 * How a connection in Swoole resumes the coroutines that wait: when their answers are there, or to read for the others.
 *
 * @internal
 */
abstract class SwooleWaking extends SwooleWriting
{
    /** @var array<int, true> ids of coroutines that wait */
    protected array $parked = [];

    /** @var array<int, true> the same of those that read for nobody: their answers come on the fast path, or did not */
    protected array $waiting = [];

    /** Above 0 while coroutines are being resumed: the fast calls that they make leave together afterwards. */
    protected int $waking = 0;

    /**
     * Resumes those whose calls have an outcome.
     */
    final protected function wake(): void
    {
        $session = $this->session;
        $this->waking++;

        try {
            while ($session->woken !== []) {
                $woken = $session->woken;
                $session->woken = [];
                foreach ($woken as $call) {
                    $cid = $call->coroutine;
                    // Another call's answer, or a coroutine that was resumed before it, may have woken or cancelled it.
                    if ($cid !== 0 && (isset($this->parked[$cid]) || isset($this->waiting[$cid]))) {
                        $call->coroutine = 0;
                        unset($this->parked[$cid], $this->waiting[$cid]);
                        Coroutine::resume($cid);
                    }
                }
            }
        } finally {
            if (--$this->waking === 0 && $session->held !== []) {
                $this->flush();
            }
        }
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
        // Not here: readers would hand over to each other ever deeper.
        Event::defer(function (): void {
            $cid = array_key_last($this->parked);
            if (! $this->reading && $cid !== null) {
                unset($this->parked[$cid]);
                Coroutine::resume($cid);
            }
        });
    }
}
