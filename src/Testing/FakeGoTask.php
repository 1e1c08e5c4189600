<?php

declare(strict_types=1);

namespace Reasno\GoTask\Testing;

use AssertionError;
use Closure;
use PHPUnit\Framework\Assert;
use Reasno\GoTask\Args;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\ParallelFailed;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Future;
use Reasno\GoTask\Goridge\Codec;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\MessagePackCodec;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Raw;
use Reasno\GoTask\Service;
use Throwable;
use ValueError;

use function array_filter;
use function array_key_exists;
use function array_keys;
use function array_values;
use function class_exists;
use function count;
use function implode;
use function is_finite;
use function strlen;

/**
 * Stands in for the Python worker in the tests of an application.
 *
 *     $task = new FakeGoTask(['App.Hi' => fn ($name) => ['hello' => $name]]);
 *     $this->assertSame(['hello' => 'Jo'], $task->call('App.Hi', 'Jo'));
 *     $task->assertCalled('App.Hi', 'Jo');
 *
 * A handler is a closure that is given the payload (for an Args its arguments), an exception that the call fails with, or
 * a value that is the result. Payloads and results pass through the codec, so that what could not be sent fails here too, and
 * what changes on the way (an object into an array, say) changes here. Anything that a closure throws arrives
 * as a RemoteError, unless it is one of this package's exceptions.
 */
final class FakeGoTask implements GoTask
{
    /** @var list<RecordedCall> */
    private array $calls = [];

    /**
     * @param array<string, mixed> $handlers by the method's name, exactly as it is called
     */
    public function __construct(private array $handlers = [], private readonly Codec $codec = new MessagePackCodec())
    {
    }

    /**
     * Sets or replaces what a method does.
     *
     * @param mixed $handler a closure, an exception or a result
     */
    public function on(string $method, mixed $handler): self
    {
        $this->handlers[$method] = $handler;

        return $this;
    }

    public function call(string $method, mixed $payload = null, ?float $timeout = null): mixed
    {
        return $this->answer($method, $this->record($method, $payload, $timeout, false));
    }

    public function callAsync(string $method, mixed $payload = null, ?float $timeout = null): Future
    {
        $arguments = $this->record($method, $payload, $timeout, false);

        return new FakeFuture($method, fn (): mixed => $this->answer($method, $arguments));
    }

    public function parallel(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): array
    {
        if ($concurrency !== null && $concurrency < 1) {
            throw new ValueError("The concurrency must be at least 1, it is {$concurrency}.");
        }
        $results = $errors = $all = [];
        foreach ($calls as $key => $call) {
            try {
                $all[$key] = $results[$key] = $this->call($call[0], $call[1] ?? null, $timeout);
            } catch (GoTaskException $error) {
                $all[$key] = $errors[$key] = $error;
            }
        }
        if ($throw && $errors !== []) {
            throw new ParallelFailed($results, $errors);
        }

        return $all;
    }

    public function notify(string $method, mixed $payload = null): void
    {
        $arguments = $this->record($method, $payload, null, true);

        try {
            $this->answer($method, $arguments);
        } catch (RemoteError) {
            // The worker logs it.
        }
    }

    public function service(string $name): Service
    {
        return new Service($this, $name);
    }

    /**
     * @param null|string $method only those of this method
     * @return list<RecordedCall> in their order
     */
    public function calls(?string $method = null): array
    {
        return array_values(array_filter($this->calls, static fn (RecordedCall $call): bool => $method === null || $call->method === $method));
    }

    /**
     * That a method was called, with this payload where one is given; an assertion of PHPUnit.
     *
     * @param mixed ...$payload none, or one
     */
    public function assertCalled(string $method, mixed ...$payload): void
    {
        $calls = $this->calls($method);
        $called = $this->calls === [] ? 'nothing' : implode(', ', array_keys($this->counts()));
        self::assert($calls !== [], "{$method} was not called; {$called} was.");
        if ($payload === []) {
            return;
        }
        $expected = $this->pass(array_values($payload)[0]);
        foreach ($calls as $call) {
            // Equal, not identical: two objects that are sent alike are alike.
            if ($call->payload == $expected) {
                return;
            }
        }
        self::assert(false, "{$method} was called " . count($calls) . ' times, but never with this payload.');
    }

    /**
     * That a method was called so many times; an assertion of PHPUnit.
     */
    public function assertCalledTimes(string $method, int $times): void
    {
        $called = count($this->calls($method));
        self::assert($called === $times, "{$method} was called {$called} times, not {$times}.");
    }

    /**
     * That a method was not called, or none at all; an assertion of PHPUnit.
     */
    public function assertNotCalled(?string $method = null): void
    {
        self::assert($this->calls($method) === [], ($method ?? implode(', ', array_keys($this->counts()))) . ' was called.');
    }

    /**
     * @return array<string, int>
     */
    private function counts(): array
    {
        $counts = [];
        foreach ($this->calls as $call) {
            $counts[$call->method] = ($counts[$call->method] ?? 0) + 1;
        }

        return $counts;
    }

    /**
     * @return array<array-key, mixed> what the handler is given
     */
    private function record(string $method, mixed $payload, ?float $timeout, bool $notification): array
    {
        if ($method === '' || strlen($method) > Frame::MAX_METHOD) {
            throw new InvalidRequest("A method's name has 1 to 255 bytes, this one has " . strlen($method) . '.', $method);
        }
        if ($timeout !== null && (! is_finite($timeout) || $timeout <= 0.0)) {
            throw new ValueError("The timeout must be a finite number of seconds above 0, it is {$timeout}.");
        }
        $passed = $this->pass($payload);
        $this->calls[] = new RecordedCall($method, $passed, $timeout, $notification);
        if ($payload instanceof Args) {
            /** @var array{list<mixed>, array<string, mixed>} $passed */
            return [...$passed[0], ...$passed[1]];
        }

        return $payload === null ? [] : [$passed];
    }

    /**
     * @param array<array-key, mixed> $arguments
     */
    private function answer(string $method, array $arguments): mixed
    {
        if (! array_key_exists($method, $this->handlers)) {
            $known = $this->handlers === [] ? 'none' : implode(', ', array_keys($this->handlers));

            throw new MethodNotFound("{$method} is not known to this FakeGoTask, only: {$known}.", $method);
        }
        $handler = $this->handlers[$method];
        if ($handler instanceof Throwable) {
            throw $handler;
        }
        if ($handler instanceof Closure) {
            try {
                $handler = $handler(...$arguments);
            } catch (GoTaskException $exception) {
                throw $exception;
            } catch (Throwable $thrown) {
                throw new RemoteError("{$method} raised " . $thrown::class . ': ' . $thrown->getMessage(), $method, $thrown::class);
            }
        }

        return $this->pass($handler);
    }

    private function pass(mixed $value): mixed
    {
        if ($value === null || $value instanceof Raw) {
            return $value?->bytes;
        }

        return $this->codec->decode($value instanceof Args ? $value->encode($this->codec) : $this->codec->encode($value));
    }

    private static function assert(bool $holds, string $message): void
    {
        if (class_exists(Assert::class)) {
            Assert::assertTrue($holds, $message);
        } elseif (! $holds) {
            throw new AssertionError($message);
        }
    }
}
