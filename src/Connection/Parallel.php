<?php

declare(strict_types=1);

namespace Reasno\GoTask\Connection;

use Closure;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\GoTaskException;
use ValueError;

use function array_key_first;
use function count;
use function get_debug_type;
use function hrtime;
use function is_array;
use function is_string;

/**
 * Many calls at the same time from one caller: a window over them that is filled up in one write, then waited for until any of
 * it is answered.
 *
 * @internal
 */
final class Parallel
{
    /** @var array<int, Pending> those under way, by their place in the order */
    private array $window = [];

    /** @var array<int, mixed> */
    private array $results = [];

    /** @var array<int, GoTaskException> */
    private array $errors = [];

    /**
     * @param Closure(string, mixed): Pending $prepare makes a call ready to be sent
     * @param positive-int $concurrency
     */
    public function __construct(
        private readonly Dispatcher $dispatcher,
        private readonly Closure $prepare,
        private readonly int $concurrency,
    ) {
    }

    /**
     * @param iterable<array-key, mixed> $calls
     * @return array{list<array-key>, array<int, mixed>, array<int, GoTaskException>} keys; results and errors by place
     */
    public function run(iterable $calls): array
    {
        $keys = [];

        try {
            foreach ($calls as $key => $call) {
                while (count($this->window) >= $this->concurrency) {
                    $this->advance();
                }
                $place = count($keys);
                $keys[] = $key;
                $this->start($place, $key, $call);
            }
            while ($this->window !== []) {
                $this->advance();
            }
        } finally {
            foreach ($this->window as $call) {
                $this->dispatcher->cancel($call);
            }
        }

        return [$keys, $this->results, $this->errors];
    }

    private function start(int $place, int|string $key, mixed $pair): void
    {
        if (! is_array($pair) || ! is_string($pair[0] ?? null) || count($pair) > 2) {
            throw new ValueError("The call under the key {$key} must be a pair of method and payload, it is " . get_debug_type($pair) . '.');
        }

        try {
            $call = ($this->prepare)($pair[0], $pair[1] ?? null);
            $now = hrtime(true);
            $this->dispatcher->connect($call, $now)->hold($call, $now);
            $this->window[$place] = $call;
        } catch (Cancelled $cancelled) {
            throw $cancelled;
        } catch (GoTaskException $error) {
            $this->errors[$place] = $error;
        }
    }

    /**
     * Waits until at least one call of the window has an outcome, and takes all that have.
     */
    private function advance(): void
    {
        $connection = $this->window[array_key_first($this->window) ?? 0]->connection ?? null;
        $waiting = [];
        foreach ($this->window as $place => $call) {
            if ($call->outcome !== Outcome::Waiting) {
                continue;
            }
            if ($call->connection === $connection) {
                $waiting[$place] = $call;
            } else {
                // Another connection was opened meanwhile. Its calls have their turn when those of this one are done.
                $call->connection?->flush();
            }
        }
        $connection?->flush();
        if ($waiting !== [] && count($waiting) === count($this->window)) {
            $connection?->awaitAny($waiting);
        } elseif ($waiting !== [] && ! $this->anyDone()) {
            $connection?->awaitAny($waiting);
        }
        $this->take();
    }

    private function anyDone(): bool
    {
        foreach ($this->window as $call) {
            if ($call->outcome !== Outcome::Waiting) {
                return true;
            }
        }

        return false;
    }

    private function take(): void
    {
        foreach ($this->window as $place => $call) {
            if ($call->outcome === Outcome::Waiting) {
                continue;
            }
            unset($this->window[$place]);

            try {
                $this->results[$place] = $this->dispatcher->finish($call);
            } catch (GoTaskException $error) {
                if ($call->outcome === Outcome::Cancelled) {
                    // The coroutine that waits was told to stop: so are the others.
                    throw $error;
                }
                $this->errors[$place] = $error;
            }
        }
    }
}
