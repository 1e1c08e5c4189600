<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Listener;

use Hyperf\Command\Event\AfterExecute;
use Hyperf\Command\Event\BeforeHandle;
use Hyperf\Event\Contract\ListenerInterface;
use Psr\Container\ContainerInterface;
use Reasno\GoTask\Hyperf\Annotation\PrivateWorker;
use Reasno\GoTask\Hyperf\PrivateWorkers;
use ReflectionClass;

use function assert;

/**
 * Gives console commands with #[PrivateWorker] a worker of their own, and ends private workers after the command.
 *
 * @internal
 */
class PrivateWorkersListener implements ListenerInterface
{
    public function __construct(protected ContainerInterface $container)
    {
    }

    public function listen(): array
    {
        return [BeforeHandle::class, AfterExecute::class];
    }

    public function process(object $event): void
    {
        $private = $this->container->get(PrivateWorkers::class);
        assert($private instanceof PrivateWorkers);
        if ($event instanceof BeforeHandle) {
            foreach ((new ReflectionClass($event->getCommand()))->getAttributes(PrivateWorker::class) as $attribute) {
                $private->want($attribute->newInstance()->name);
            }
        } else {
            $private->stop();
        }
    }
}
