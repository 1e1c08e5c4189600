<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Status;

use Reasno\GoTask\Address;
use Reasno\GoTask\Platform\Quietly;
use ValueError;

use function dirname;
use function function_exists;
use function is_int;
use function is_resource;
use function strlen;

/**
 * The files of a broker's Unix socket. The broker makes and removes them; this is for when it can't, being killed.
 *
 * @internal
 */
final class UnixSocket
{
    private const SCHEME = 'unix://';
    private const SO_PEERCRED = 17;

    /**
     * @return null|string the path; null for another kind of address
     */
    public static function path(string $address): ?string
    {
        return str_starts_with($address, self::SCHEME) ? substr($address, strlen(self::SCHEME)) : null;
    }

    /**
     * The address with its path made absolute, so that it means the same in every working directory.
     *
     * @throws ValueError when it is no address
     */
    public static function absolute(string $address, ?string $directory = null): string
    {
        $path = self::path($address);
        if ($directory !== null && $path !== null && $path !== '' && $path[0] !== '/') {
            $address = self::SCHEME . "{$directory}/{$path}";
        }

        return (string) Address::parse($address);
    }

    /**
     * An address in a directory that does not exist yet and whose name nobody can guess. The broker makes it, for this user
     * alone, and removes it when it ends: then nothing is left even where this process could not clean up.
     */
    public static function fresh(): string
    {
        $name = '/gotask-' . bin2hex(random_bytes(8)) . '/worker.sock';
        $directory = rtrim(sys_get_temp_dir(), '/');

        return self::SCHEME . (strlen($directory . $name) <= Address::MAX_UNIX_PATH ? $directory : '/tmp') . $name;
    }

    /** Removes what a killed broker left, unless another one serves the address by now. */
    public static function removeStale(string $address): void
    {
        $path = self::path($address);
        if ($path === null || ! Files::isOurs(dirname($path)) || self::type($path) !== 'socket') {
            return;
        }
        // A link is not followed: the file behind it is none of ours.
        $type = self::type("{$path}.lock");
        $lock = $type === 'file' || $type === null ? Quietly::call(static fn () => fopen("{$path}.lock", $type === null ? 'x' : 'r+')) : false;
        if (! is_resource($lock)) {
            return;
        }
        if (flock($lock, LOCK_EX | LOCK_NB)) {
            Files::delete($path);
            Files::delete("{$path}.lock");
        }
        fclose($lock);
    }

    /** Waits until no broker serves the address, at most so many seconds: one whose supervisor was killed is just ending. */
    public static function awaitUnused(string $address, float $timeout): void
    {
        $path = self::path($address);
        $until = hrtime(true) + (int) ($timeout * 1e9);
        while ($path !== null && self::isLocked("{$path}.lock") && hrtime(true) < $until) {
            usleep(10_000);
        }
    }

    /** Removes the directory of a fresh() address with what is in it. */
    public static function removeDirectory(string $address): void
    {
        $directory = dirname((string) self::path($address));
        // The broker removes it itself, unless it is killed.
        foreach (function_exists('glob') ? glob("{$directory}/*") ?: [] : [] as $file) {
            Quietly::call(static fn () => unlink($file));
        }
        Quietly::call(static fn () => is_dir($directory) && rmdir($directory));
    }

    private static function isLocked(string $path): bool
    {
        $lock = self::type($path) === 'file' ? Quietly::call(static fn () => fopen($path, 'r')) : false;
        if (! is_resource($lock)) {
            return false;
        }
        $free = flock($lock, LOCK_SH | LOCK_NB);
        fclose($lock);

        return ! $free;
    }

    /**
     * The process that listens at the address, by the kernel.
     *
     * @return null|int null: nobody does, or it can't be known: it takes Linux and the extension sockets
     */
    public static function listener(string $address): ?int
    {
        $path = self::path($address);
        if ($path === null || PHP_OS_FAMILY !== 'Linux' || ! function_exists('socket_create')) {
            return null;
        }
        $socket = Quietly::call(static fn () => socket_create(AF_UNIX, SOCK_STREAM, 0));
        if ($socket === false) {
            return null;
        }
        try {
            // PHP takes an int of the three in struct ucred: the first is the process.
            $pid = Quietly::call(static fn () => socket_connect($socket, $path) ? socket_get_option($socket, SOL_SOCKET, self::SO_PEERCRED) : false);

            return is_int($pid) && $pid > 0 ? $pid : null;
        } finally {
            socket_close($socket);
        }
    }

    /** The type of the file itself, not of what it links to; null: there is none. */
    private static function type(string $path): ?string
    {
        clearstatcache(true, $path);

        return Quietly::call(static fn () => is_link($path) || file_exists($path) ? filetype($path) : false) ?: null;
    }
}
