<?php

declare(strict_types=1);

namespace Reasno\GoTask\Testing;

use AssertionError;
use Closure;
use Generator;
use PHPUnit\Framework\Assert;
use Reasno\GoTask\Args;
use Reasno\GoTask\Calling\Input;
use Reasno\GoTask\Calling\Parallel;
use Reasno\GoTask\Calling\Services;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\Values;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\InvalidResult;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\ParallelFailed;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Exception\WorkerCrashed;
use Reasno\GoTask\Future;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Outcome;
use Reasno\GoTask\Progress;
use Reasno\GoTask\Protocol\Metadata;
use Reasno\GoTask\Protocol\Methods;
use Reasno\GoTask\Raw;
use Reasno\GoTask\Service;
use ValueError;

use function array_diff_key;
use function array_filter;
use function array_key_exists;
use function array_slice;
use function count;
use function strlen;

/**
 * Stands in for the Python worker in the tests of an application.
 *
 *     $task = new FakeGoTask(['App.Hi' => fn ($name) => ['hello' => $name]]);
 *     $this->assertSame(['hello' => 'Jo'], $task->call('App.Hi', 'Jo'));
 *     $task->assertCalled('App.Hi', 'Jo');
 *
 * A handler is a closure that is given the payload (spread where it requires several arguments; for an Args exactly those), an
 * exception that the call fails with, or a value that is the result. Names are folded as the worker folds them: `App.SayHello` is
 * `App.say_hello`. Payloads and results pass through the codec, so that what could not be sent fails here too, and what changes
 * on the way (an object into an array, say) changes here. Anything that a closure throws arrives as a RemoteError, unless it is
 * one of this package's exceptions, or an assertion of PHPUnit's that failed.
 *
 * A handler runs when its call is made, also for callAsync() and notify(), awaited or not, durable or not. One that yields, or returns something
 * iterable, is what stream() takes. One whose last parameter is a FakeCall can tell of progress, read the input, and call back.
 */
final class FakeGoTask implements GoTask
{
    /** Of how many calls a failed assertion shows the payload, and how many bytes of each. */
    private const SHOWN = 3;
    private const SHOWN_BYTES = 500;

    /** @var list<RecordedCall> */
    private array $calls = [];

    /** @var array<string, Handler> by folded name */
    private array $handlers = [];

    /** @var array<string, Outcome> of durable calls, by id */
    private array $outcomes = [];

    private readonly MessagePackCodec $codec;

    private readonly Services $services;

    /**
     * @param array<string, mixed> $handlers by the method's name
     * @param array<string, object> $services what handlers may call back, as for Client; see FakeCall
     * @throws ValueError when the worker could not tell two of the names apart
     */
    public function __construct(array $handlers = [], array $services = [])
    {
        $this->services = new Services($services);
        $this->codec = new MessagePackCodec();
        foreach ($handlers as $method => $handler) {
            $other = $this->handlers[Methods::fold($method)]->name ?? null;
            if ($other !== null) {
                throw new ValueError("{$method} and {$other} are the same method: give one handler.");
            }
            $this->on($method, $handler);
        }
    }

    /**
     * Sets or replaces what a method does.
     *
     * @param mixed $handler a closure, an exception or a result
     */
    public function on(string $method, mixed $handler): self
    {
        $this->handlers[Methods::fold($method)] = new Handler($method, $handler);

        return $this;
    }

    public function call(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): mixed
    {
        $call = $this->begin($onProgress, $input, $headers);

        return $this->answer($method, $this->record($method, $payload, $timeout, false, $key, $headers), $call);
    }

    public function callAsync(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): Future
    {
        $call = $this->begin($onProgress, $input, $headers);
        $arguments = $this->record($method, $payload, $timeout, false, $key, $headers);
        try {
            return new FakeFuture($method, $this->answer($method, $arguments, $call), null, $call->progress);
        } catch (GoTaskException $failure) {
            return new FakeFuture($method, null, $failure, $call->progress);
        }
    }

    public function stream(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): Generator
    {
        $call = $this->begin($onProgress, $input, $headers);

        return Handler::elements($method, $this->run($method, $this->record($method, $payload, $timeout, false, $key, $headers), $call), $this->pass(...));
    }

    public function completed(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): Generator
    {
        self::checkConcurrency($concurrency);
        self::checkTimeout($timeout);

        return (function () use ($calls, $timeout, $throw): Generator {
            $number = 0;
            foreach ($calls as $key => $call) {
                [$method, $payload] = Parallel::pair($number++, $call);
                $outcome = $this->settle($method, $payload, $timeout);
                yield $key => $throw && $outcome instanceof GoTaskException ? throw $outcome : $outcome;
            }
        })();
    }

    public function parallel(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): array
    {
        self::checkConcurrency($concurrency);
        self::checkTimeout($timeout);
        $outcomes = [];
        foreach ($calls as $key => $call) {
            if (array_key_exists($key, $outcomes)) {
                throw Parallel::twice($key);
            }
            [$method, $payload] = Parallel::pair($key, $call);
            $outcomes[$key] = $this->settle($method, $payload, $timeout);
        }
        $errors = array_filter($outcomes, static fn (mixed $outcome): bool => $outcome instanceof GoTaskException);
        if ($throw && $errors !== []) {
            throw new ParallelFailed(array_diff_key($outcomes, $errors), $errors);
        }

        return $outcomes;
    }

    public function notify(string $method, mixed $payload = null, null|int|string $key = null, array $headers = [], bool $durable = false): ?string
    {
        $arguments = $this->record($method, $payload, null, true, $key, $headers);
        $id = $durable ? 'fake-' . count($this->calls) : null;
        $state = 'done';
        $result = $failure = null;

        try {
            $result = $this->answer($method, $arguments, $this->begin(null, null, $headers));
        } catch (DeadlineExceeded|EncodeFailed|InvalidArguments|InvalidResult|RemoteError|WorkerCrashed $failure) {
            // It was accepted. The worker logs what became of it, or the outcome says it.
            $state = 'failed';
        }
        if ($id !== null) {
            $this->setOutcome(new Outcome($id, $state, null, $result, $failure));
        }

        return $id;
    }

    public function outcome(string $id): Outcome
    {
        return $this->outcomes[$id] ?? new Outcome($id, 'unknown');
    }

    /**
     * What outcome() is to say of a durable call: it is done or failed otherwise, since its handler runs when it is made.
     */
    public function setOutcome(Outcome $outcome): self
    {
        $this->outcomes[$outcome->id] = $outcome;

        return $this;
    }

    public function service(string $name): Service
    {
        return new Service($this, $name);
    }

    public function expectSignatures(string $signatures): void
    {
    }

    /**
     * @param null|string $method only those of this method
     * @return list<RecordedCall> in their order
     */
    public function calls(?string $method = null): array
    {
        return array_values(array_filter($this->calls, static fn (RecordedCall $call): bool => $method === null || Methods::fold($call->method) === Methods::fold($method)));
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
        [$expected] = array_values($payload);
        $form = self::form($expected);
        $exact = SamePayload::key($expected, $this->codec);
        $expected = $this->pass($expected);
        foreach ($calls as $call) {
            if ($call->form === $form && $call->exact === $exact) {
                return;
            }
        }
        $were = array_map(static fn (RecordedCall $call): string => self::show($call->payload, $call->form), array_slice($calls, -self::SHOWN));
        self::assert(false, "{$method} was called " . count($calls) . ' times, but never with this payload: ' . self::show($expected, $form)
            . '.' . "\n" . (count($calls) > self::SHOWN ? 'The last ' . self::SHOWN : 'These') . " were:\n" . implode("\n", $were));
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
     * @param array<array-key, string> $headers
     * @return array<array-key, mixed> what the handler is given
     */
    private function record(string $method, mixed $payload, ?float $timeout, bool $notification, null|int|string $key, array $headers): array
    {
        if ($method === '' || strlen($method) > Frame::MAX_METHOD) {
            throw new InvalidRequest("A method's name has 1 to 255 bytes, this one has " . strlen($method) . '.', $method);
        }
        self::checkTimeout($timeout);
        Metadata::encode($method, $headers);
        $passed = $this->pass($payload);
        $this->calls[] = new RecordedCall($method, $passed, $timeout, $notification, self::form($payload), SamePayload::key($payload, $this->codec), $key, $headers);
        if ($payload instanceof Args) {
            /** @var array{list<mixed>, array<string, mixed>} $passed */
            return [...$passed[0], ...$passed[1]];
        }

        $handler = $this->handlers[Methods::fold($method)] ?? null;

        return $handler === null ? [] : $handler->arguments($passed, $payload === null);
    }

    /**
     * @return mixed the result or exception of one of several calls
     * @throws Cancelled which the others end with
     */
    private function settle(string $method, mixed $payload, ?float $timeout): mixed
    {
        try {
            return $this->call($method, $payload, $timeout);
        } catch (Cancelled $cancelled) {
            throw $cancelled;
        } catch (GoTaskException $error) {
            return $error;
        }
    }

    /**
     * @param null|Closure(Progress): mixed $onProgress
     * @param array<array-key, string> $headers
     */
    private function begin(?Closure $onProgress, mixed $input, array $headers): FakeCall
    {
        return new FakeCall($this->pass(...), $this->services, $onProgress, $input === null ? null : Input::of($input), $headers);
    }

    /**
     * @param array<array-key, mixed> $arguments
     */
    private function answer(string $method, array $arguments, FakeCall $call): mixed
    {
        $result = $this->run($method, $arguments, $call);
        if ($result instanceof Generator) {
            throw new InvalidResult("The result of {$method} is a generator: call it by stream().", $method);
        }

        return $this->pass($result);
    }

    /**
     * @param array<array-key, mixed> $arguments
     */
    private function run(string $method, array $arguments, FakeCall $call): mixed
    {
        $handler = $this->handlers[Methods::fold($method)] ?? null;
        // As in Python, what begins with an underscore is nobody's to call.
        if ($handler === null || str_starts_with($method, '_') || str_contains($method, '._')) {
            $known = implode(', ', array_column($this->handlers, 'name')) ?: 'none';

            throw new MethodNotFound("{$method} is not known to this FakeGoTask, only: {$known}.", $method);
        }

        return $handler->run($method, $arguments, $call);
    }

    private function pass(mixed $value): mixed
    {
        if ($value === null || $value instanceof Raw) {
            return $value?->bytes;
        }

        return $this->codec->decode($value instanceof Args ? Values::encodeArguments($value, $this->codec) : $this->codec->encode($value));
    }

    private static function form(mixed $payload): ?string
    {
        return $payload instanceof Args || $payload instanceof Raw ? $payload::class : null;
    }

    private static function show(mixed $payload, ?string $form): string
    {
        $text = ($form === null ? '' : "{$form} of ") . var_export($payload, true);

        return strlen($text) > self::SHOWN_BYTES ? substr($text, 0, self::SHOWN_BYTES) . '…' : $text;
    }

    private static function checkConcurrency(?int $concurrency): void
    {
        if ($concurrency !== null && $concurrency < 1) {
            throw new ValueError("The concurrency must be at least 1, it is {$concurrency}.");
        }
    }

    private static function checkTimeout(?float $timeout): void
    {
        if ($timeout !== null && (! is_finite($timeout) || $timeout <= 0.0)) {
            throw new ValueError("The timeout must be a finite number of seconds above 0, it is {$timeout}.");
        }
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
