<?php

declare(strict_types=1);

namespace Reasno\GoTask\Testing;

use ArrayIterator;
use Closure;
use Generator;
use IteratorIterator;
use PHPUnit\Framework\AssertionFailedError;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\InvalidResult;
use Reasno\GoTask\Exception\RemoteError;
use ReflectionFunction;
use ReflectionNamedType;
use ReflectionParameter;
use Throwable;

use function array_key_exists;
use function is_array;
use function is_string;

/**
 * What a method of a FakeGoTask does.
 *
 * @internal
 */
final class Handler
{
    public function __construct(public readonly string $name, private readonly mixed $does)
    {
    }

    /**
     * @param mixed $passed the payload as it arrives
     * @param bool $isNothing whether there is none
     * @return array<array-key, mixed> the arguments that it stands for
     */
    public function arguments(mixed $passed, bool $isNothing): array
    {
        $handler = $this->does;
        $required = $handler instanceof Closure ? (new ReflectionFunction($handler))->getNumberOfRequiredParameters() - (int) (self::ownParameter($handler) !== null) : 0;
        // As in Python: where more than one is required, a list is spread over them, or a map by their names.
        if (is_array($passed) && $required > 1) {
            return $passed;
        }

        // The worker passes null where one argument is required, and else leaves it to the default.
        return $isNothing && $required !== 1 ? [] : [$passed];
    }

    /**
     * @param array<array-key, mixed> $arguments
     * @throws GoTaskException
     */
    public function run(string $method, array $arguments, FakeCall $call): mixed
    {
        $handler = $this->does;
        if ($handler instanceof Closure) {
            $own = self::ownParameter($handler);
            if ($own !== null) {
                $arguments = array_filter($arguments, static fn (int|string $key): bool => is_string($key) || $key < $own->getPosition(), ARRAY_FILTER_USE_KEY);
                $arguments[$own->getName()] = $call;
            }
            $misfit = self::misfit($handler, $arguments);
            if ($misfit !== null) {
                throw new InvalidArguments("{$method} {$misfit}.", $method);
            }
        }

        return self::raising($method, static fn (): mixed => $handler instanceof Closure ? $handler(...$arguments) : ($handler instanceof Throwable ? throw $handler : $handler));
    }

    /**
     * What a method has returned, element by element.
     *
     * @param Closure(mixed): mixed $pass what becomes of a value on its way
     * @return Generator<int, mixed, mixed, mixed>
     */
    public static function elements(string $method, mixed $result, Closure $pass): Generator
    {
        if (! is_iterable($result) || is_array($result) && ! array_is_list($result)) {
            throw new InvalidResult("{$method} returned " . get_debug_type($result) . ', which has no elements to stream: let it yield them, or call it without stream().', $method);
        }
        $elements = is_array($result) ? new ArrayIterator($result) : new IteratorIterator($result);
        self::raising($method, $elements->rewind(...));
        while (self::raising($method, $elements->valid(...)) === true) {
            yield $pass($elements->current());
            self::raising($method, $elements->next(...));
        }

        return $result instanceof Generator ? $pass($result->getReturn()) : null;
    }

    /**
     * @param Closure(): mixed $do
     * @throws GoTaskException what else it throws as the worker would say it
     */
    private static function raising(string $method, Closure $do): mixed
    {
        try {
            return $do();
        } catch (AssertionFailedError|GoTaskException $exception) {
            throw $exception;
        } catch (Throwable $thrown) {
            throw new RemoteError("{$method} raised " . $thrown::class . ': ' . $thrown->getMessage(), $method, $thrown::class, text: $thrown->getMessage());
        }
    }

    /**
     * The parameter of a handler that is not Python's: the last one, if that is a FakeCall.
     */
    private static function ownParameter(Closure $handler): ?ReflectionParameter
    {
        $parameters = (new ReflectionFunction($handler))->getParameters();
        $last = end($parameters) ?: null;
        $type = $last?->getType();

        return $type instanceof ReflectionNamedType && $type->getName() === FakeCall::class ? $last : null;
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
}
