<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Closure;
use Reasno\GoTask\Exposed;
use Reasno\GoTask\Protocol\Methods;
use ReflectionClass;
use ReflectionMethod;
use ValueError;

use function array_filter;
use function explode;
use function get_debug_type;
use function implode;
use function is_object;
use function is_string;
use function preg_match;
use function str_contains;
use function str_starts_with;

/**
 * What methods may call back: public methods of the objects that the application registered. Names are matched as Python's are.
 *
 * @internal
 */
final class Services
{
    /** @var array<string, array{string, object}> by folded name: the name as it was given; the object, or a closure that gives it */
    private array $services = [];

    /** @var array<string, array<string, ReflectionMethod>> what may be called of each service, both by folded name */
    private array $methods = [];

    /**
     * @param array<array-key, mixed> $services objects by the name of their service; a closure gives one when it is first called
     * @throws ValueError
     */
    public function __construct(array $services)
    {
        foreach ($services as $name => $service) {
            if (! is_string($name) || preg_match('/^[^\W_]\w*$/u', $name) !== 1) {
                throw new ValueError("A service has a name such as Config, not {$name}.");
            }
            if (! is_object($service)) {
                throw new ValueError("The service {$name} must be an object, or a closure that gives it, it is " . get_debug_type($service) . '.');
            }
            $folded = Methods::fold($name);
            if (isset($this->services[$folded])) {
                throw new ValueError("{$name} and {$this->services[$folded][0]} are the same service: give one object.");
            }
            $this->services[$folded] = [$name, $service];
        }
    }

    /**
     * @param string $name such as `Config.get`
     * @return null|Closure(array<array-key, mixed>): mixed calls it with these arguments; null: nothing of that name may be called
     */
    public function find(string $name): ?Closure
    {
        [$service, $method] = explode('.', Methods::fold($name), 2) + [1 => ''];
        // What begins with an underscore is nobody's to call, as in Python.
        if (! isset($this->services[$service]) || str_contains($name, '._')) {
            return null;
        }
        $object = $this->services[$service][1];
        if ($object instanceof Closure) {
            $object = $object();
            if (! is_object($object)) {
                throw new ValueError("What is registered as the service {$this->services[$service][0]} must give an object, it gave " . get_debug_type($object) . '.');
            }
            $this->services[$service][1] = $object;
        }
        $found = ($this->methods[$service] ??= self::methods($object))[$method] ?? null;

        // Not called from here, where types are strict: "64" from Python is as good as 64.
        return $found === null ? null : static fn (array $arguments): mixed => $found->invokeArgs($object, $arguments);
    }

    /**
     * The error where find() has found nothing, and what there is.
     */
    public function missing(string $name): string
    {
        $service = explode('.', Methods::fold($name), 2)[0];
        $methods = array_map(static fn (ReflectionMethod $method): string => $method->getName(), $this->methods[$service] ?? []);
        $there = $methods === []
            ? 'Its services: ' . (implode(', ', array_column($this->services, 0)) ?: 'none')
            : "{$this->services[$service][0]} has " . implode(', ', $methods);

        return "PHP has no {$name} that may be called back: register an object with a public method of that name. {$there}.";
    }

    /**
     * @return array<string, ReflectionMethod> by folded name
     */
    private static function methods(object $object): array
    {
        $methods = array_filter(
            (new ReflectionClass($object))->getMethods(ReflectionMethod::IS_PUBLIC),
            static fn (ReflectionMethod $method): bool => ! $method->isStatic() && ! str_starts_with($method->getName(), '_'),
        );
        $exposed = array_filter($methods, static fn (ReflectionMethod $method): bool => $method->getAttributes(Exposed::class) !== []);
        $named = [];
        foreach ($exposed ?: $methods as $method) {
            $named[Methods::fold($method->getName())] = $method;
        }

        return $named;
    }
}
