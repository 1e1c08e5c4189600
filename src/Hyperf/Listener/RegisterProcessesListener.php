<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Listener;

use Hyperf\Event\Contract\ListenerInterface;
use Hyperf\Framework\Event\BeforeMainServerStart;
use Hyperf\Process\ProcessManager;
use Hyperf\Server\Event\MainCoroutineServerStart;
use Psr\Container\ContainerInterface;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\PrivateWorkers;
use Reasno\GoTask\Hyperf\Process\SupervisorProcess;

use function assert;

/**
 * Checks the configuration when the server starts, and adds to its processes one for each worker that it is to manage.
 *
 * @internal
 */
class RegisterProcessesListener implements ListenerInterface
{
    public function __construct(protected ContainerInterface $container, protected Workers $workers)
    {
    }

    public function listen(): array
    {
        return [BeforeMainServerStart::class, MainCoroutineServerStart::class];
    }

    public function process(object $event): void
    {
        $private = $this->container->get(PrivateWorkers::class);
        assert($private instanceof PrivateWorkers);
        $private->serve();
        foreach ($this->workers->all() as $config) {
            if ($config->managed) {
                ProcessManager::register($this->make($config));
            }
        }
    }

    protected function make(WorkerConfig $config): SupervisorProcess
    {
        return new SupervisorProcess($this->container, $config);
    }
}
