<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Process;

use Closure;
use Hyperf\Coroutine\Coroutine;
use Hyperf\Engine\Signal;
use Swoole\Coroutine as SwooleCoroutine;

/**
 * Signals as coroutines get them. One that somebody else in this process waits for already is left to them.
 *
 * @internal
 */
final class SignalWatch
{
    private bool $stopped = false;

    /** @var list<int> */
    private array $coroutines = [];

    /**
     * @param Closure(): mixed $handler called each time
     */
    public function on(int $signal, Closure $handler): void
    {
        $this->coroutines[] = Coroutine::create(function () use ($signal, $handler): void {
            while (! $this->stopped && Signal::wait($signal)) {
                $handler();
            }
        });
    }

    public function stop(): void
    {
        $this->stopped = true;
        foreach ($this->coroutines as $coroutine) {
            if (class_exists(SwooleCoroutine::class, false) && SwooleCoroutine::exists($coroutine)) {
                SwooleCoroutine::cancel($coroutine);
            }
        }
        $this->coroutines = [];
    }
}
