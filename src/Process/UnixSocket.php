<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process;

use Reasno\GoTask\Address;
use ValueError;

use function dirname;
use function strlen;

/**
 * The files of a broker's Unix socket. The broker makes and removes them; this is for when it can't, being killed.
 *
 * @internal
 */
final class UnixSocket
{
    /** sockaddr_un has 108 bytes with its terminating zero, and Swoole refuses 107. */
    public const MAX_PATH = 106;
    private const SCHEME = 'unix://';

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
        if ($path === null || ! file_exists($path)) {
            return;
        }
        $lock = @fopen("{$path}.lock", 'c');
        if ($lock === false) {
            return;
        }
        if (flock($lock, LOCK_EX | LOCK_NB)) {
            if (@filetype($path) === 'socket') {
                @unlink($path);
            }
            @unlink("{$path}.lock");
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
        foreach (glob("{$directory}/*") ?: [] as $file) {
            @unlink($file);
        }
        // Looked at first: where errors are exceptions, a suppressed one may be, too.
        is_dir($directory) && @rmdir($directory);
    }

    private static function isLocked(string $path): bool
    {
        $lock = is_file($path) ? @fopen($path, 'r') : false;
        if ($lock === false) {
            return false;
        }
        $free = flock($lock, LOCK_SH | LOCK_NB);
        fclose($lock);

        return ! $free;
    }
}
