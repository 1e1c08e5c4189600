<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Supervision;

use Closure;
use Psr\Log\LoggerInterface;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Child\WorkerState;

use function sprintf;

/**
 * Keeps a worker process running: starts it, and starts it again when it ends, with a growing delay where it keeps ending.
 * It never stops trying, and says what is wrong each time.
 *
 * It runs in the foreground of whatever calls run(): a console command, a Swoole process, a coroutine. Signals are its
 * caller's: a handler only calls stop(), which waits for nothing.
 *
 * @internal
 */
final class Supervisor
{
    /** How soon a request to stop is seen, in seconds. */
    private const LOOK = 0.1;

    /** Files are looked at with each so many looks. */
    private const FILES = 5;

    private int $requests = 0;

    private bool $reload = false;

    private string $reported = '';

    /** @var Closure(): float */
    private readonly Closure $clock;

    /** @var Closure(float): void */
    private readonly Closure $sleep;

    private int $failures = 0;

    /**
     * @param bool $patient whether to go on where the very first start fails in a way that another start won't mend, such
     *                      as an app that does not import; else run() ends with that failure
     * @param null|Closure(): float $clock seconds, only ever forward
     * @param null|Closure(float): void $sleep for seconds, at most 0.1 at a time
     * @param null|Closure(): void $tick is called about ten times a second
     * @param null|FileWatch $watch ends a pause before the next start when the app changes
     * @param null|Announcer $announcer tells others how the process is
     */
    public function __construct(
        private readonly Supervised $process,
        private readonly LoggerInterface $logger,
        private readonly Backoff $backoff = new Backoff(),
        private readonly bool $patient = false,
        ?Closure $clock = null,
        ?Closure $sleep = null,
        private readonly ?Closure $tick = null,
        private readonly ?FileWatch $watch = null,
        private readonly ?Announcer $announcer = null,
    ) {
        $this->clock = $clock ?? static fn (): float => hrtime(true) / 1e9;
        $this->sleep = $sleep ?? static fn (float $seconds) => usleep((int) ($seconds * 1e6));
    }

    /**
     * Runs until stop().
     *
     * @throws WorkerStartFailed when the very first start failed for good, and this supervisor is not patient
     */
    public function run(): void
    {
        $uptime = 0.0;
        for ($start = 1; $this->requests === 0; $start++) {
            $this->pause($this->backoff->delay($this->now(), $uptime));
            if ($this->requests > 0) {
                break;
            }
            // What starts now has the code as it is now.
            $this->reload = false;
            $this->watch?->begin();
            $uptime = $this->runOnce();
            if ($this->requests === 0) {
                $this->report($start);
            }
        }
    }

    /**
     * Asks run() to end: the worker finishes its calls first. Asked twice, it ends at once. To be called from a signal
     * handler or another coroutine.
     */
    public function stop(): void
    {
        $this->requests++;
    }

    /**
     * Asks for the code as it is now: a worker that is ready loads it beside what runs; one that is being started, once it is ready;
     * one that waits for its next try gets it at once. To be called as stop() is.
     */
    public function reload(): void
    {
        $this->announcer?->expect();
        $this->reload = true;
        $this->backoff->reset();
    }

    /**
     * @return float how long it was ready, in seconds
     * @phpstan-impure others ask for a reload meanwhile
     */
    private function runOnce(): float
    {
        $readySince = null;
        $heeded = 0;
        $this->announcer?->begin();
        $this->process->launch();
        while (true) {
            $state = $this->process->poll(self::LOOK);
            $this->announcer?->observe($this->process, $state, $heeded > 0);
            if ($state === WorkerState::Ended) {
                return $readySince === null ? 0.0 : $this->now() - $readySince;
            }
            $this->tick();
            if ($state === WorkerState::Ready) {
                $readySince ??= $this->now();
            }
            if ($this->requests > $heeded) {
                $heeded = $this->requests;
                $heeded === 1 ? $this->process->terminate() : $this->process->kill();
            } elseif ($this->reload && $state === WorkerState::Ready) {
                $this->reload = false;
                $this->process->requestReload();
            }
        }
    }

    private function report(int $start): void
    {
        $failure = $this->process->failure();
        $exit = $this->process->exit();
        if ($failure !== null && $start === 1 && ! $this->patient && $exit?->isPermanent()) {
            throw $failure;
        }
        $this->failures++;
        $what = $failure?->getMessage() ?? sprintf('the Python worker ended with %s', $exit?->describe() ?? 'an unknown exit code');
        if ($exit?->isPermanent()) {
            $this->backoff->begin();
        }
        $first = $what !== $this->reported;
        $this->reported = $what;
        if (! $first && $this->backoff->isDelaying()) {
            $this->logger->critical("the Python worker keeps ending the same way: {$this->failures} times so far. It is tried again for ever.", ['logger' => 'gotask']);
        } elseif ($this->backoff->isDelaying()) {
            $this->logger->critical("{$what}\nIt is tried again for ever.", ['logger' => 'gotask']);
        } else {
            $this->logger->error("{$what}; it is started again", ['logger' => 'gotask']);
        }
    }

    private function pause(float $seconds): void
    {
        if ($seconds > 0) {
            $this->logger->warning(sprintf('the next start is in %g seconds', $seconds), ['logger' => 'gotask']);
        }
        $until = $this->now() + $seconds;
        for ($look = 1; $this->requests === 0 && ! $this->reload && ($left = $until - $this->now()) > 0; $look++) {
            ($this->sleep)(min(self::LOOK, $left));
            $this->tick();
            if ($this->watch !== null && $look % self::FILES === 0 && $this->watch->hasChanged()) {
                $this->logger->info('the app has changed and is started again', ['logger' => 'gotask']);
                $this->reload();
            }
        }
    }

    private function tick(): void
    {
        if ($this->tick !== null) {
            ($this->tick)();
        }
    }

    private function now(): float
    {
        return ($this->clock)();
    }
}
