<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

use Closure;
use Reasno\GoTask\Address;
use Reasno\GoTask\Connection\Connection;
use Reasno\GoTask\Connection\Latch;
use Reasno\GoTask\Connection\Probe;
use Reasno\GoTask\Connection\Session;
use Reasno\GoTask\Connection\StreamConnector;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectFailed;
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
        return new SwooleConnection($session, $address, self::open($address, $timeout));
    }

    public function latch(): Latch
    {
        return new SwooleLatch();
    }

    public function spawn(Closure $body): void
    {
        Coroutine::create($body);
    }

    public function probe(Address $address, float $timeout): Probe
    {
        return new SwooleProbe(static function () use ($address, $timeout): bool {
            try {
                $socket = self::open($address, $timeout);
            } catch (ConnectFailed) {
                return false;
            }
            $answer = $socket->send(Session::hello(), $timeout) > 0 ? $socket->recv(1, $timeout) : '';
            $socket->close();

            return $answer !== '' && $answer !== false;
        });
    }

    public function pause(float $seconds): void
    {
        if (Coroutine::sleep($seconds) === false) {
            throw new Cancelled('The coroutine was cancelled while it waited to try again.');
        }
    }

    /**
     * @throws ConnectFailed
     */
    private static function open(Address $address, float $timeout): Socket
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

        return $socket;
    }
}
