<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Listener;

use Hyperf\Event\Contract\ListenerInterface;
use Hyperf\Framework\Event\BeforeMainServerStart;
use Hyperf\Framework\Event\BeforeServerStart;
use Psr\Container\ContainerInterface;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\Process\ReloadHook;
use Reasno\GoTask\Hyperf\WorkerLoggerFactory;
use Swoole\Server;

use function assert;

/**
 * Has a reload of the server reach the Python workers. It waits for the last event before the server starts, so that a callback
 * for the same event which a listener of the application registers is found as well.
 *
 * @internal
 */
class ReloadListener implements ListenerInterface
{
    protected ?Server $server = null;

    public function __construct(protected ContainerInterface $container, protected Workers $workers)
    {
    }

    public function listen(): array
    {
        return [BeforeMainServerStart::class, BeforeServerStart::class];
    }

    public function process(object $event): void
    {
        if ($event instanceof BeforeMainServerStart) {
            $this->server = $event->server;
        } elseif ($this->server !== null) {
            $loggers = $this->container->get(WorkerLoggerFactory::class);
            assert($loggers instanceof WorkerLoggerFactory);
            (new ReloadHook($this->workers, $loggers))->bind($this->server);
            $this->server = null;
        }
    }
}
