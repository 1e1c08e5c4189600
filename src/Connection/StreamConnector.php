<?php

declare(strict_types=1);

namespace Reasno\GoTask\Connection;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;

use function stream_context_create;
use function stream_socket_client;

use const STREAM_CLIENT_ASYNC_CONNECT;
use const STREAM_CLIENT_CONNECT;

/**
 * Opens PHP streams to an address.
 *
 * @internal
 */
final class StreamConnector
{
    /**
     * @param float $timeout seconds
     * @param bool $wait false: a TCP connection may still be being opened when this returns, until the stream is writable
     * @return resource
     * @throws ConnectFailed
     */
    public static function connect(Address $address, float $timeout, bool $wait = true): mixed
    {
        $code = 0;
        $message = '';
        $stream = @stream_socket_client(
            (string) $address,
            $code,
            $message,
            $timeout,
            STREAM_CLIENT_CONNECT | ($wait || $address->isUnix() ? 0 : STREAM_CLIENT_ASYNC_CONNECT),
            stream_context_create(['socket' => ['tcp_nodelay' => true]]),
        );
        if ($stream === false) {
            throw self::failed($address, (string) $message);
        }

        return $stream;
    }

    public static function failed(Address $address, string $reason): ConnectFailed
    {
        return new ConnectFailed(
            "Cannot connect to {$address}: " . ($reason === '' ? 'no reason given' : $reason)
            . '. Is the worker running there? It is started by `vendor/bin/gotask serve`, or by `python -m gotask APP --address ' . $address . '`.',
        );
    }
}
