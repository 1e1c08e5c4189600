<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Listener;

use Hyperf\Event\Contract\ListenerInterface;
use Hyperf\Framework\Event\BeforeMainServerStart;
use Hyperf\Framework\Event\BeforeServerStart;
use Psr\Container\ContainerInterface;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\WorkerLoggerFactory;
use Reasno\GoTask\Process\Supervision\Reload;
use ReflectionClass;
use Swoole\Server;

use function assert;
use function is_callable;

/**
 * A reload of the server (SIGUSR1) starts its HTTP workers again but none of its other processes: this passes it on to the
 * supervisors of all managed Python workers, which load the new code beside the old.
 *
 * It waits for the last event before the server starts, so that it finds the application's callback for the same event, too.
 *
 * @internal
 */
class ReloadListener implements ListenerInterface
{
    private const EVENT = 'beforeReload';

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
            $this->bind($this->server);
            $this->server = null;
        }
    }

    /** A server has one callback for the event: that of the application, which is there already, is called as well. */
    protected function bind(Server $server): void
    {
        $next = self::callback($server);
        $server->on(self::EVENT, function (Server $server) use ($next): void {
            $this->reload();
            if (is_callable($next)) {
                $next($server);
            }
        });
    }

    protected function reload(): void
    {
        $loggers = $this->container->get(WorkerLoggerFactory::class);
        assert($loggers instanceof WorkerLoggerFactory);
        foreach ($this->workers->all() as $config) {
            if ($config->managed && Reload::request($config->address) === null) {
                $loggers->get($config)->warning(
                    'the Python worker could not be told to reload: ' . (Reload::obstacle() ?? 'its supervisor was not found'),
                    ['logger' => 'gotask'],
                );
            }
        }
    }

    /** getCallback() of an HTTP server is null here: the property is private to the parent class, and it looks in the child's. */
    private static function callback(Server $server): mixed
    {
        $class = new ReflectionClass(Server::class);

        return $class->hasProperty('onBeforeReload') ? $class->getProperty('onBeforeReload')->getValue($server) : $server->getCallback(self::EVENT);
    }
}
