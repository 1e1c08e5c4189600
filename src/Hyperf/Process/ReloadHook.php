<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Process;

use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\WorkerLoggerFactory;
use Reasno\GoTask\Process\Supervision\Reload;
use ReflectionClass;
use Swoole\Server;

use function is_callable;

/**
 * A reload of the server (SIGUSR1) starts its HTTP workers again but none of its other processes: this passes it on to the
 * supervisors of all managed Python workers, which load the new code beside the old.
 *
 * @internal
 */
final class ReloadHook
{
    private const EVENT = 'beforeReload';

    public function __construct(private readonly Workers $workers, private readonly WorkerLoggerFactory $loggers)
    {
    }

    /** A server has one callback for the event: that of the application, which is there already, is called as well. */
    public function bind(Server $server): void
    {
        $next = self::callback($server);
        $server->on(self::EVENT, function (Server $server) use ($next): void {
            $this->reload();
            if (is_callable($next)) {
                $next($server);
            }
        });
    }

    private function reload(): void
    {
        foreach ($this->workers->all() as $config) {
            if ($config->managed && Reload::request($config->address) === null) {
                $this->loggers->get($config)->warning(
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
