<?php

declare(strict_types=1);

namespace Reasno\GoTask\Testing;

use AssertionError;
use Closure;
use DateTimeInterface;
use JsonSerializable;
use PHPUnit\Framework\Assert;
use PHPUnit\Framework\AssertionFailedError;
use Reasno\GoTask\Args;
use Reasno\GoTask\Calling\Parallel;
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
use Reasno\GoTask\Protocol\Methods;
use Reasno\GoTask\Raw;
use Reasno\GoTask\Service;
use ReflectionFunction;
use stdClass;
use Throwable;
use ValueError;

use function array_key_exists;
use function array_slice;
use function count;
use function is_array;
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
 * A handler runs when its call is made, also for callAsync() and notify(), awaited or not.
 */
final class FakeGoTask implements GoTask
{
    /** Of how many calls a failed assertion shows the payload, and how many bytes of each. */
    private const SHOWN = 3;
    private const SHOWN_BYTES = 500;

    /** @var list<RecordedCall> */
    private array $calls = [];

    /** @var array<string, array{string, mixed}> by folded name: the name as it was given, and what the method does */
    private array $handlers = [];

    private readonly MessagePackCodec $codec;

    /**
     * @param array<string, mixed> $handlers by the method's name
     * @throws ValueError when the worker could not tell two of the names apart
     */
    public function __construct(array $handlers = [])
    {
        $this->codec = new MessagePackCodec();
        foreach ($handlers as $method => $handler) {
            $other = $this->handlers[Methods::fold($method)][0] ?? null;
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
        $this->handlers[Methods::fold($method)] = [$method, $handler];

        return $this;
    }

    public function call(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null): mixed
    {
        return $this->answer($method, $this->record($method, $payload, $timeout, false));
    }

    public function callAsync(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null): Future
    {
        $arguments = $this->record($method, $payload, $timeout, false);
        try {
            return new FakeFuture($method, $this->answer($method, $arguments), null);
        } catch (GoTaskException $failure) {
            return new FakeFuture($method, null, $failure);
        }
    }

    public function parallel(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): array
    {
        if ($concurrency !== null && $concurrency < 1) {
            throw new ValueError("The concurrency must be at least 1, it is {$concurrency}.");
        }
        self::checkTimeout($timeout);
        $results = $errors = $all = [];
        foreach ($calls as $key => $call) {
            if (array_key_exists($key, $all)) {
                throw Parallel::twice($key);
            }
            [$method, $payload] = Parallel::pair($key, $call);
            try {
                $all[$key] = $results[$key] = $this->call($method, $payload, $timeout);
            } catch (Cancelled $cancelled) {
                throw $cancelled;
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
        } catch (DeadlineExceeded|EncodeFailed|InvalidArguments|InvalidResult|RemoteError|WorkerCrashed) {
            // It was accepted. The worker logs what became of it.
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
        $exact = $this->exact($expected);
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
     * @return array<array-key, mixed> what the handler is given
     */
    private function record(string $method, mixed $payload, ?float $timeout, bool $notification): array
    {
        if ($method === '' || strlen($method) > Frame::MAX_METHOD) {
            throw new InvalidRequest("A method's name has 1 to 255 bytes, this one has " . strlen($method) . '.', $method);
        }
        self::checkTimeout($timeout);
        $passed = $this->pass($payload);
        $this->calls[] = new RecordedCall($method, $passed, $timeout, $notification, self::form($payload), $this->exact($payload));
        if ($payload instanceof Args) {
            /** @var array{list<mixed>, array<string, mixed>} $passed */
            return [...$passed[0], ...$passed[1]];
        }

        $handler = $this->handlers[Methods::fold($method)][1] ?? null;
        // As in Python: where more than one is required, a list is spread over them, or a map by their names.
        if (is_array($passed) && $handler instanceof Closure && (new ReflectionFunction($handler))->getNumberOfRequiredParameters() > 1) {
            return $passed;
        }

        // The worker passes null where one argument is required, and else leaves it to the default.
        return $payload === null && ! ($handler instanceof Closure && (new ReflectionFunction($handler))->getNumberOfRequiredParameters() === 1) ? [] : [$passed];
    }

    /**
     * What the worker would find wrong with the arguments. Only a handler need not take all of those that have no name.
     *
     * @param array<array-key, mixed> $arguments
     * @return null|string null: nothing
     */
    private static function misfit(Closure $handler, array $arguments): ?string
    {
        $unknown = array_filter($arguments, is_string(...), ARRAY_FILTER_USE_KEY);
        foreach ((new ReflectionFunction($handler))->getParameters() as $place => $parameter) {
            $name = $parameter->getName();
            if ($parameter->isVariadic()) {
                return null;
            }
            if (array_key_exists($place, $arguments) && array_key_exists($name, $arguments)) {
                return "got two values for {$name}";
            }
            if (! array_key_exists($place, $arguments) && ! array_key_exists($name, $arguments) && ! $parameter->isOptional()) {
                return "got nothing for {$name}";
            }
            unset($unknown[$name]);
        }

        return $unknown === [] ? null : 'has no parameter ' . array_key_first($unknown);
    }

    /**
     * @param array<array-key, mixed> $arguments
     */
    private function answer(string $method, array $arguments): mixed
    {
        $handler = $this->handlers[Methods::fold($method)] ?? null;
        // As in Python, what begins with an underscore is nobody's to call.
        if ($handler === null || str_starts_with($method, '_') || str_contains($method, '._')) {
            $known = implode(', ', array_column($this->handlers, 0)) ?: 'none';

            throw new MethodNotFound("{$method} is not known to this FakeGoTask, only: {$known}.", $method);
        }
        $handler = $handler[1];
        $misfit = $handler instanceof Closure ? self::misfit($handler, $arguments) : null;
        if ($misfit !== null) {
            throw new InvalidArguments("{$method} {$misfit}.", $method);
        }
        try {
            if ($handler instanceof Throwable) {
                throw $handler;
            }
            $result = $handler instanceof Closure ? $handler(...$arguments) : $handler;
        } catch (AssertionFailedError|GoTaskException $exception) {
            throw $exception;
        } catch (Throwable $thrown) {
            throw new RemoteError("{$method} raised " . $thrown::class . ': ' . $thrown->getMessage(), $method, $thrown::class);
        }

        return $this->pass($result);
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

    /**
     * What the worker gets, in bytes that are the same for all payloads between which it would see no difference: for two maps in another
     * order, but not for 1, 1.0, '1' and true, for text and bytes, or for an empty list and an empty map.
     */
    private function exact(mixed $payload): string
    {
        return match (true) {
            $payload instanceof Raw => $payload->bytes,
            $payload instanceof Args => $this->codec->encode(self::ordered([$payload->positional, (object) $payload->named])),
            default => $this->codec->encode(self::ordered($payload)),
        };
    }

    private static function ordered(mixed $value): mixed
    {
        if ($value instanceof JsonSerializable && ! $value instanceof DateTimeInterface) {
            return self::ordered(Values::standIn($value));
        }
        if (! is_array($value) && ! $value instanceof stdClass) {
            return $value;
        }
        $values = array_map(self::ordered(...), (array) $value);
        if (is_array($value) && array_is_list($value)) {
            return $values;
        }
        ksort($values, SORT_STRING);

        return (object) $values;
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
