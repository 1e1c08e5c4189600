<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

use Reasno\GoTask\Address;
use Reasno\GoTask\Connection\Connection;
use Reasno\GoTask\Connection\Latch;
use Reasno\GoTask\Connection\Session;
use Reasno\GoTask\Connection\StreamConnector;
use Swoole\Coroutine;
use Swoole\Coroutine\Socket;

use function str_contains;

use const AF_INET;
use const AF_INET6;
use const AF_UNIX;
use const SOCK_STREAM;
use const SOL_TCP;

/**
 * Swoole's coroutines, with and without its runtime hooks. Waiting parks the coroutine.
 *
 * @internal
 */
final class SwooleRuntime implements Runtime
{
    private const TCP_NODELAY = 1;

    public function connect(Address $address, Session $session, float $timeout): Connection
    {
        $host = $address->host;
        $domain = $address->isUnix() ? AF_UNIX : (str_contains($host, ':') ? AF_INET6 : AF_INET);

        try {
            $socket = new Socket($domain, SOCK_STREAM, 0);
        } catch (Socket\Exception $exception) {
            throw StreamConnector::failed($address, $exception->getMessage());
        }
        if (! $socket->connect($host, $address->port ?? 0, $timeout)) {
            throw StreamConnector::failed($address, (string) $socket->errMsg);
        }
        if (! $address->isUnix()) {
            $socket->setOption(SOL_TCP, self::TCP_NODELAY, 1);
        }

        return new SwooleConnection($session, $address, $socket);
    }

    public function latch(): Latch
    {
        return new SwooleLatch();
    }

    public function pause(float $seconds): void
    {
        Coroutine::sleep($seconds);
    }
}
