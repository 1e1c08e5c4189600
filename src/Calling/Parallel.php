<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Closure;
use Generator;
use LogicException;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Runtime\Latch;
use Reasno\GoTask\Runtime\Runtime;
use Throwable;
use ValueError;

use function array_diff_key;
use function array_filter;
use function array_intersect_key;
use function array_key_exists;
use function count;
use function get_debug_type;
use function hrtime;
use function is_array;
use function is_int;
use function is_string;
use function reset;
use function spl_object_id;

/**
 * Many calls at the same time from one caller: a window over them that is filled up in one write, then waited for until any of
 * it is answered.
 *
 * @template TKey of array-key
 * @internal
 */
final class Parallel
{
    /** ns. Where the source takes longer for a call, answers are read meanwhile, and its calls are not held any more. */
    private const BUSY = 1_000_000;

    /** Seconds; every call has its deadline. */
    private const LONG = 1e6;

    /** Its coroutines or fibers wait for the calls; null: the caller waits itself. */
    private readonly ?Runtime $runtime;

    private ?Latch $latch = null;

    /** How many more calls of a source leave together: as many as places became free at a time. */
    private int $free = 0;

    /** @var array<TKey, Call> those under way */
    private array $window = [];

    /** @var array<TKey, mixed> the result or exception of each, in the order of the calls; null while it is under way */
    private array $outcomes = [];

    /**
     * @param iterable<TKey, mixed> $calls
     * @param Closure(string, mixed): Call $prepare makes a call ready to be sent
     * @param positive-int $concurrency
     */
    public function __construct(
        private readonly iterable $calls,
        private readonly Sender $sender,
        private readonly Closure $prepare,
        private readonly int $concurrency,
    ) {
        $this->runtime = $sender->runtimes->spreading();
    }

    /**
     * Runs them all.
     */
    public function run(): void
    {
        foreach ($this->steps() as $_);
    }

    /**
     * Runs them all, and gives the result or exception of each when it is there. Nothing of it is kept.
     *
     * @return Generator<TKey, mixed>
     */
    public function completed(): Generator
    {
        foreach ($this->steps() as $_) {
            $done = array_diff_key($this->outcomes, $this->window);
            $this->outcomes = array_intersect_key($this->outcomes, $this->window);
            yield from $done;
        }
    }

    /**
     * @return Generator<int, null> each time that some may have ended
     */
    private function steps(): Generator
    {
        $isLazy = ! is_array($this->calls);
        // In an event loop the source may wait without stopping the process, and submit() has the loop send several calls together.
        $isHeld = ! $isLazy || $this->sender->runtimes->here()->runtime()->latch() === null;

        try {
            $asked = hrtime(true);
            foreach ($this->calls as $key => $call) {
                if ($isLazy && $this->window !== [] && hrtime(true) - $asked > self::BUSY) {
                    $this->receive();
                    $this->take();
                    yield;
                    $isHeld = false;
                }
                if (count($this->window) >= $this->concurrency) {
                    do {
                        $this->advance();
                        yield;
                    } while (count($this->window) >= $this->concurrency);
                    $this->free = $this->concurrency - count($this->window);
                }
                // A generator may yield any.
                if (! is_int($key) && ! is_string($key)) { // @phpstan-ignore function.alreadyNarrowedType, booleanAnd.alwaysFalse
                    throw new ValueError('The key of each call must be an integer or a string, one is ' . get_debug_type($key) . '.');
                }
                if (array_key_exists($key, $this->outcomes)) {
                    throw self::twice($key);
                }
                $this->outcomes[$key] = null;
                $this->start($key, $call, $isHeld && (! $isLazy || --$this->free > 0));
                $asked = hrtime(true);
            }
            while ($this->window !== []) {
                $this->advance();
                yield;
            }
            yield; // those that could not be sent
        } finally {
            foreach ($this->window as $call) {
                $this->sender->cancel($call);
            }
        }
    }

    /**
     * @return array<TKey, GoTaskException> in the order of the calls
     */
    public function errors(): array
    {
        return array_filter($this->outcomes, static fn (mixed $outcome): bool => $outcome instanceof GoTaskException);
    }

    /**
     * @param bool $withErrors whether those that failed are among them, with their exception
     * @return array<TKey, mixed> in the order of the calls
     */
    public function results(bool $withErrors): array
    {
        return $withErrors ? $this->outcomes : array_diff_key($this->outcomes, $this->errors());
    }

    /**
     * @return array{string, mixed} method and payload of what was given as a call
     * @throws ValueError when it is none
     */
    public static function pair(int|string $key, mixed $call): array
    {
        if (! is_array($call) || ! is_string($call[0] ?? null) || count($call) > 2) {
            throw new ValueError("The call under the key {$key} must be a pair of method and payload, such as ['App.Hi', 'Jo'], it is " . get_debug_type($call) . '.');
        }

        return [$call[0], $call[1] ?? null];
    }

    /**
     * Two calls under one key: only one could have its result there.
     */
    public static function twice(int|string $key): ValueError
    {
        return new ValueError("Two calls have the key {$key}, under which there can be one result: yield a key of its own for each. `yield from` numbers each source anew.");
    }

    /**
     * @param TKey $key
     * @param bool $isHeld whether it is to leave with those that follow
     */
    private function start(int|string $key, mixed $pair, bool $isHeld): void
    {
        [$method, $payload] = self::pair($key, $pair);

        try {
            $call = ($this->prepare)($method, $payload);
            $call->isOneOfMany = true;
            if ($isHeld) {
                $now = hrtime(true);
                $this->sender->connect($call, $now)->hold($call, $now);
            } else {
                // It runs while the source works on the next one.
                $this->sender->submit($call);
            }
            $this->window[$key] = $call;
            if ($this->runtime !== null) {
                $this->watch($key, $call, $this->runtime);
            }
        } catch (Cancelled $cancelled) {
            throw $cancelled;
        } catch (GoTaskException $error) {
            $this->outcomes[$key] = $error;
        }
    }

    /**
     * Reads what has come while the source worked: nobody else reads a large answer meanwhile. What is held waits no longer.
     */
    private function receive(): void
    {
        foreach ($this->connections() as $connection) {
            $connection->flush();
            $connection->receiveNow();
        }
    }

    /**
     * @return array<int, Connection> those that the calls of the window are on
     */
    private function connections(): array
    {
        $connections = [];
        foreach ($this->window as $call) {
            if ($call->connection !== null) {
                $connections[spl_object_id($call->connection)] = $call->connection;
            }
        }

        return $connections;
    }

    /**
     * Waits until at least one call of the window has an outcome, and takes all that have.
     */
    private function advance(): void
    {
        if ($this->runtime !== null) {
            $this->advanceWatched($this->runtime);

            return;
        }
        $connection = (reset($this->window) ?: null)?->connection;
        $waiting = [];
        $done = false;
        foreach ($this->window as $call) {
            if ($call->state !== CallState::Waiting) {
                $done = true;
            } elseif ($call->connection === $connection) {
                $waiting[] = $call;
            } else {
                $call->connection?->flush();
                // Calls of a connection that can't be waited for together with this one have their turn when those of this one are done.
                if ($connection?->canJoin($call->connection ?? $connection) === true) {
                    $waiting[] = $call;
                }
            }
        }
        $connection?->flush();
        if (! $done && $waiting !== []) {
            $connection?->awaitAny($waiting);
            // What else has come: the more places are free at a time, the more calls share a message.
            $connection?->receiveNow();
        }
        $this->take();
    }

    /**
     * Like advance(), where the calls are on connections of several addresses, each with its own readers.
     */
    private function advanceWatched(Runtime $runtime): void
    {
        $latch = $this->latch = $runtime->latch() ?? throw new LogicException('Nobody can wait here.');
        foreach ($this->connections() as $connection) {
            $connection->flush();
        }
        foreach ($this->window as $call) {
            if ($call->state !== CallState::Waiting) {
                $latch->open();
                break;
            }
        }
        $latch->wait(self::LONG);
        $this->take();
    }

    /**
     * Starts a coroutine or fiber that waits for a call and then wakes the caller.
     *
     * @param TKey $key
     */
    private function watch(int|string $key, Call $call, Runtime $runtime): void
    {
        $runtime->spawn(function () use ($key, $call): void {
            try {
                $call->connection?->await($call);
            } catch (Throwable) {
                // The call's outcome says what happened.
            }
            if (($this->window[$key] ?? null) === $call) {
                $this->latch?->open();
            }
        });
    }

    private function take(): void
    {
        foreach ($this->window as $key => $call) {
            if ($call->state === CallState::Waiting) {
                continue;
            }
            try {
                if (! $call->hasResult() && $this->sender->goesOn($call)) {
                    if ($this->runtime !== null) {
                        $this->watch($key, $call, $this->runtime);
                    }
                    continue;
                }
                unset($this->window[$key]);
                $this->outcomes[$key] = $this->sender->result->of($call);
            } catch (GoTaskException $error) {
                unset($this->window[$key]);
                if ($call->state === CallState::Cancelled) {
                    // The waiting coroutine was told to stop: the other calls end with it.
                    throw $error;
                }
                $this->outcomes[$key] = $error;
            }
        }
    }
}
