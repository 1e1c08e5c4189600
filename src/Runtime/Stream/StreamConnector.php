<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

use Closure;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Tls;

use function array_filter;
use function clearstatcache;
use function dirname;
use function error_clear_last;
use function error_get_last;
use function function_exists;
use function posix_geteuid;
use function stat;
use function stream_context_create;
use function stream_set_blocking;
use function stream_socket_client;
use function stream_socket_enable_crypto;
use function strtr;
use function substr;

use const STREAM_CLIENT_ASYNC_CONNECT;
use const STREAM_CLIENT_CONNECT;
use const STREAM_CRYPTO_METHOD_TLSv1_3_CLIENT;

/**
 * Opens PHP streams to an address.
 *
 * @internal
 */
final class StreamConnector
{
    /**
     * Level, option, value of Linux: SO_KEEPALIVE, and TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT. So an idle connection to a machine that is gone is
     * known to be dead after 25 s.
     */
    public const KEEPALIVE = [[1, 9, 1], [6, 4, 10], [6, 5, 5], [6, 6, 3]];

    /** This bit of a file's mode. */
    private const EVERYBODY_WRITES = 0o002;

    /**
     * @param float $timeout seconds
     * @param bool $wait false: a TCP connection may still be being opened when this returns, until the stream is writable
     * @return resource
     * @throws ConnectFailed
     * @throws NotAuthorized see checkOwner()
     */
    public static function connect(Address $address, Tls $tls, float $timeout, bool $wait = true): mixed
    {
        if (! function_exists('stream_socket_client')) {
            throw new ConnectFailed("Cannot connect to {$address}: PHP may not here. Take stream_socket_client out of disable_functions in php.ini.");
        }
        $code = 0;
        $message = '';
        $warning = '';
        $stream = Quietly::call(static function () use ($address, $tls, $timeout, $wait, &$code, &$message): mixed {
            return stream_socket_client(
                $wait ? self::target($address) : self::single($address),
                $code,
                $message,
                $timeout,
                STREAM_CLIENT_CONNECT | ($wait || $address->isUnix() ? 0 : STREAM_CLIENT_ASYNC_CONNECT),
                stream_context_create(['socket' => ['tcp_nodelay' => true]] + ($address->tls ? ['ssl' => self::options($address, $tls)] : [])),
            );
        }, $warning);
        if ($stream === false) {
            throw self::failed($address, (string) $message ?: $warning);
        }
        self::checkOwner($address);
        if (! $address->isUnix()) {
            self::keepAlive($stream);
        }

        return $stream;
    }

    /**
     * @param resource $stream
     */
    private static function keepAlive(mixed $stream): void
    {
        $socket = PHP_OS_FAMILY === 'Linux' && function_exists('socket_import_stream') ? socket_import_stream($stream) : false;
        if ($socket === false) {
            return;
        }
        foreach (self::KEEPALIVE as [$level, $option, $value]) {
            Quietly::call(static fn () => socket_set_option($socket, $level, $option, $value));
        }
    }

    /**
     * Without TLS, which begins once the stream is connected: the caller chooses how to wait for it.
     */
    private static function target(Address $address): string
    {
        return $address->tls ? 'tcp' . substr((string) $address, 3) : (string) $address;
    }

    /**
     * The same with the IPv4 address of `localhost`, the only name that comes here. PHP tries all of a name's addresses only where it waits, and
     * else the first: often ::1, where a worker that listens on that name does not.
     */
    private static function single(Address $address): string
    {
        $addresses = $address->isUnix() || ! function_exists('gethostbynamel') ? false : gethostbynamel($address->host);

        return $addresses === false || $addresses === [] ? self::target($address) : "tcp://{$addresses[0]}:{$address->port}";
    }

    /**
     * @return list<string> see Runtime::resolve()
     */
    public static function resolve(string $name): array
    {
        $found = function_exists('gethostbynamel') ? gethostbynamel($name) : false;
        if ($found !== false && $found !== [] || ! function_exists('socket_addrinfo_lookup')) {
            return array_values(array_unique($found ?: []));
        }
        $ips = [];
        foreach (Quietly::call(static fn () => socket_addrinfo_lookup($name, null, ['ai_family' => AF_INET6, 'ai_socktype' => SOCK_STREAM])) ?: [] as $found) {
            /** @var array{ai_addr: array{sin6_addr: string}} $explained */
            $explained = socket_addrinfo_explain($found);
            $ips[] = $explained['ai_addr']['sin6_addr'];
        }

        return $ips;
    }

    /**
     * Refuses a Unix socket that anybody may have put there: another user's, in a folder that everybody can write to. Asked before
     * anything is sent.
     *
     * @throws NotAuthorized
     */
    public static function checkOwner(Address $address): void
    {
        if (! $address->isUnix() || ! function_exists('posix_geteuid') || ! function_exists('stat')) {
            return;
        }
        clearstatcache(true, $address->host);
        $folder = dirname($address->host);
        // A file that open_basedir hides can't be checked, and is no error.
        $owner = Quietly::call(static fn () => file_exists($address->host) ? stat($address->host)['uid'] ?? 0 : 0);
        $mode = Quietly::call(static fn () => is_dir($folder) ? stat($folder)['mode'] ?? 0 : 0);
        if ($owner === false || $owner === 0 || $owner === posix_geteuid() || ($mode & self::EVERYBODY_WRITES) === 0) {
            return;
        }

        throw new NotAuthorized(
            "The socket {$address->host} belongs to user {$owner}, not to this one or root, and everybody can write to {$folder}: anybody may be"
            . ' listening there. Nothing was sent. Let the worker listen in a folder that only its user can write to (chmod o-w), or run it as this user.',
        );
    }

    /**
     * Begins TLS.
     *
     * @param resource $stream
     * @param Closure(resource): bool $wait until there is something to read; false: not in time
     * @throws ConnectFailed
     */
    public static function encrypt(mixed $stream, Address $address, Closure $wait): void
    {
        stream_set_blocking($stream, false);
        do {
            error_clear_last();
            $done = self::shakeHands($stream);
        } while ($done === null && $wait($stream));
        if ($done !== true) {
            $why = $done === null ? 'the peer did not answer in time' : error_get_last()['message'] ?? 'the peer closed the connection';

            throw self::failed($address, 'no TLS: ' . strtr($why, ["\n" => ' ', 'stream_socket_enable_crypto(): ' => '']));
        }
    }

    /**
     * Goes on with TLS's handshake on a stream that does not block.
     *
     * @param resource $stream
     * @return null|bool whether it has succeeded; null: it waits for the peer
     */
    public static function shakeHands(mixed $stream): ?bool
    {
        $done = Quietly::call(static fn () => stream_socket_enable_crypto($stream, true, STREAM_CRYPTO_METHOD_TLSv1_3_CLIENT));

        return $done === 0 ? null : $done;
    }

    /**
     * @return array<string, bool|string>
     */
    private static function options(Address $address, Tls $tls): array
    {
        return array_filter([
            'verify_peer' => true,
            'verify_peer_name' => true,
            'peer_name' => $tls->peerName ?? ($address->name ?: $address->host),
            'cafile' => $tls->ca,
            'local_cert' => $tls->certificate,
            'local_pk' => $tls->key,
        ], static fn (null|bool|string $option): bool => $option !== null);
    }

    public static function failed(Address $address, string $reason): ConnectFailed
    {
        return new ConnectFailed(
            "Cannot connect to {$address}: " . ($reason === '' ? 'no reason given' : $reason) . '.',
        );
    }
}
