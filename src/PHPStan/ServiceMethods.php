<?php

declare(strict_types=1);

namespace Reasno\GoTask\PHPStan;

use PHPStan\Reflection\ClassReflection;
use PHPStan\Reflection\MethodReflection;
use PHPStan\Reflection\MethodsClassReflectionExtension;
use PHPStan\Reflection\ReflectionProvider;
use Reasno\GoTask\Service;

/**
 * Tells PHPStan that a Service has every method, with any arguments: extension.neon, which phpstan/extension-installer finds. Without
 * it `@mixin mixed` says nearly the same; only a call with nothing but named arguments is then an error.
 */
final class ServiceMethods implements MethodsClassReflectionExtension
{
    public function __construct(private readonly ReflectionProvider $reflections)
    {
    }

    public function hasMethod(ClassReflection $classReflection, string $methodName): bool
    {
        return $classReflection->getName() === Service::class;
    }

    public function getMethod(ClassReflection $classReflection, string $methodName): MethodReflection
    {
        return $this->reflections->getClass(self::class)->getNativeMethod('anyMethod');
    }

    /** What PHPStan takes each of them for. */
    public function anyMethod(mixed ...$arguments): mixed
    {
        return $arguments;
    }
}
