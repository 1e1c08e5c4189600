<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Swoole;

use Closure;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Handshake;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Latch;
use Reasno\GoTask\Runtime\Probe;
use Reasno\GoTask\Runtime\Runtime;
use Reasno\GoTask\Runtime\Stream\StreamConnector;
use Reasno\GoTask\Tls;
use Swoole\Coroutine;
use Swoole\Coroutine\Socket;
use Swoole\Coroutine\System;

use function array_filter;
use function array_unique;
use function array_values;
use function constant;
use function defined;
use function is_array;
use function is_string;
use function str_contains;

use const AF_INET;
use const AF_INET6;
use const AF_UNIX;
use const SOCK_STREAM;
use const SOL_TCP;
use const STREAM_IPPROTO_TCP;

/**
 * Swoole's coroutines, with and without its runtime hooks. Waiting parks the coroutine.
 *
 * @internal
 */
final class SwooleRuntime implements Runtime
{
    private const TCP_NODELAY = 1;

    /** Seconds. */
    private const LOOKUP = 5.0;

    public function connect(Address $address, Session $session, Tls $tls, float $timeout): Connection
    {
        return new SwooleConnection($session, $address, self::open($address, $tls, $timeout));
    }

    public function latch(): Latch
    {
        return new SwooleLatch();
    }

    public function spawn(Closure $body): void
    {
        Coroutine::create($body);
    }

    public function probe(Address $address, Tls $tls, float $timeout): Probe
    {
        return new SwooleProbe(static function () use ($address, $tls, $timeout): bool {
            try {
                $socket = self::open($address, $tls, $timeout);
            } catch (ConnectFailed|NotAuthorized) {
                return false;
            }
            $answer = $socket->send(Handshake::question(), $timeout) > 0 ? $socket->recv(1, $timeout) : '';
            $socket->close();

            return $answer !== '' && $answer !== false;
        });
    }

    public function resolve(string $name): array
    {
        foreach ([AF_INET, AF_INET6] as $family) {
            $found = Quietly::call(static fn () => System::getaddrinfo($name, $family, SOCK_STREAM, STREAM_IPPROTO_TCP, '', self::LOOKUP));
            if (is_array($found) && $found !== []) {
                return array_values(array_unique(array_filter($found, is_string(...))));
            }
        }

        return [];
    }

    public function pause(float $seconds): void
    {
        if (Coroutine::sleep($seconds) === false) {
            throw new Cancelled('The coroutine was cancelled while it waited to try again.');
        }
    }

    /**
     * @throws ConnectFailed
     * @throws NotAuthorized
     */
    private static function open(Address $address, Tls $tls, float $timeout): Socket
    {
        $host = $address->host;
        $domain = $address->isUnix() ? AF_UNIX : (str_contains($host, ':') ? AF_INET6 : AF_INET);

        try {
            $socket = new Socket($domain, SOCK_STREAM, 0);
        } catch (Socket\Exception $exception) {
            throw StreamConnector::failed($address, $exception->getMessage());
        }
        if ($address->tls) {
            self::encrypt($socket, $address, $tls);
        }
        if (! $socket->connect($host, $address->port ?? 0, $timeout)) {
            throw StreamConnector::failed($address, (string) $socket->errMsg);
        }
        StreamConnector::checkOwner($address);
        if (! $address->isUnix()) {
            $socket->setOption(SOL_TCP, self::TCP_NODELAY, 1);
            foreach (PHP_OS_FAMILY === 'Linux' ? StreamConnector::KEEPALIVE : [] as [$level, $option, $value]) {
                $socket->setOption($level, $option, $value);
            }
        }

        return $socket;
    }

    /**
     * Sets what Swoole needs for TLS; it shakes hands when it connects.
     *
     * @throws ConnectFailed
     */
    private static function encrypt(Socket $socket, Address $address, Tls $tls): void
    {
        if (! defined('SWOOLE_SSL_TLSv1_3')) {
            throw StreamConnector::failed($address, 'this build of Swoole knows no TLS 1.3 (--enable-openssl)');
        }
        $name = $tls->peerName ?? ($address->name ?: $address->host);
        if (filter_var($name, FILTER_VALIDATE_IP) !== false) {
            throw StreamConnector::failed($address, "Swoole finds names alone in certificates, not {$name}: give Tls a peerName that the worker's has");
        }
        $socket->setProtocol(array_filter([
            'open_ssl' => true,
            'ssl_protocols' => constant('SWOOLE_SSL_TLSv1_3'),
            'ssl_verify_peer' => true,
            'ssl_host_name' => $name,
            'ssl_cafile' => $tls->ca,
            'ssl_cert_file' => $tls->certificate,
            'ssl_key_file' => $tls->key ?? $tls->certificate,
        ], static fn (null|bool|int|string $option): bool => $option !== null));
    }
}
