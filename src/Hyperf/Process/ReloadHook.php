<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Process;

use Psr\Log\LoggerInterface;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Process\Reload;
use Swoole\Server;

use function is_callable;

/**
 * A reload of the server (SIGUSR1) starts its HTTP workers again but none of its other processes: this passes it on to the
 * supervisor of a Python worker, which loads the new code beside the old.
 *
 * @internal
 */
final class ReloadHook
{
    private const EVENT = 'beforeReload';

    public function __construct(private readonly WorkerConfig $config, private readonly LoggerInterface $logger)
    {
    }

    public function bind(Server $server): void
    {
        $next = $server->getCallback(self::EVENT);
        $server->on(self::EVENT, function (Server $server) use ($next): void {
            $this->reload();
            if (is_callable($next)) {
                $next($server);
            }
        });
    }

    private function reload(): void
    {
        if (Reload::request($this->config->address) === null) {
            $this->logger->warning('the Python worker could not be told to reload: its supervisor was not found', ['logger' => 'gotask']);
        }
    }
}
