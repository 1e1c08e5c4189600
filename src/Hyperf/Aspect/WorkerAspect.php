<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Aspect;

use Hyperf\Context\ApplicationContext;
use Hyperf\Di\Aop\AbstractAspect;
use Hyperf\Di\Aop\ProceedingJoinPoint;
use Hyperf\Di\Definition\PropertyHandlerManager;
use Hyperf\Di\ReflectionManager;
use Reasno\GoTask\Hyperf\Annotation\Worker;
use Reasno\GoTask\Hyperf\GoTaskFactory;

/**
 * Makes Hyperf fill properties with #[Worker]: that there is an aspect for it makes it generate the proxies, which then ask the
 * handler. No call passes through here.
 *
 * @internal
 */
class WorkerAspect extends AbstractAspect
{
    public array $annotations = [Worker::class];

    private static bool $registered = false;

    public function process(ProceedingJoinPoint $proceedingJoinPoint)
    {
        return $proceedingJoinPoint->process();
    }

    public static function register(): void
    {
        if (! self::$registered) {
            self::$registered = true;
            PropertyHandlerManager::register(Worker::class, self::inject(...));
        }
    }

    private static function inject(object $object, string $class, string $target, string $property, mixed $annotation): void
    {
        $factory = ApplicationContext::getContainer()->get(GoTaskFactory::class);
        if ($annotation instanceof Worker && $factory instanceof GoTaskFactory) {
            ReflectionManager::reflectProperty($class, $property)->setValue($object, $factory->get($annotation->name));
        }
    }
}
