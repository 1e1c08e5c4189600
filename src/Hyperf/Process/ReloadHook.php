<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Process;

use Psr\Log\LoggerInterface;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Process\StatusFile;
use Swoole\Server;

use function function_exists;
use function is_callable;

/**
 * A reload of the server (SIGUSR1) starts its HTTP workers again but none of its other processes: this passes it on to the
 * supervisor of a Python worker.
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

    /**
     * @return bool whether there was somebody to ask
     */
    public function reload(): bool
    {
        $supervisor = (new StatusFile($this->config->address))->read()->supervisor ?? 0;
        $asked = $supervisor > 0 && function_exists('posix_kill') && posix_kill($supervisor, SIGHUP);
        if (! $asked) {
            $this->logger->warning('the Python worker could not be told to reload: its supervisor was not found', ['logger' => 'gotask']);
        }

        return $asked;
    }
}
