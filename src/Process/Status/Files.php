<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Status;

use Reasno\GoTask\Platform\Quietly;

use function dirname;
use function function_exists;
use function is_array;
use function is_resource;

/**
 * Reads and writes files where other users could interfere.
 *
 * @internal
 */
final class Files
{
    private const TYPE = 0o170000;
    private const REGULAR = 0o100000;
    private const OTHERS_WRITE = 0o002;
    private const STICKY = 0o1000;
    private const ROOT = 0;

    /** More than the longest status, in bytes. */
    private const MAX_SIZE = 1_048_576;

    private static ?int $user = null;

    /** The user that this process acts as. */
    public static function user(): int
    {
        if (function_exists('posix_geteuid')) {
            return posix_geteuid();
        }
        if (self::$user === null) {
            // getmyuid() is the owner of the script.
            $file = Quietly::call(static fn () => tmpfile());
            self::$user = is_resource($file) ? fstat($file)['uid'] ?? -1 : -1;
        }

        return self::$user;
    }

    /**
     * Whether nobody but this user and root decides what the names in a directory mean: it is theirs, and others can't write
     * there, or, where it is sticky, not touch what is not their own.
     */
    public static function isOurs(string $directory): bool
    {
        clearstatcache(true, $directory);
        $status = Quietly::call(static fn () => is_dir($directory) ? stat($directory) : false);

        return is_array($status)
            && ($status['uid'] === self::user() || $status['uid'] === self::ROOT)
            && (($status['mode'] & self::OTHERS_WRITE) === 0 || ($status['mode'] & self::STICKY) !== 0);
    }

    /**
     * Reads a regular file of somebody who may be believed: this user, root, or the owner of the directory, where others can't
     * write.
     *
     * @return null|array{string, int} its content and its owner; null: there is no such file
     */
    public static function read(string $path): ?array
    {
        clearstatcache(true, $path);
        $found = self::look($path);
        if (! is_array($found) || ($found['mode'] & self::TYPE) !== self::REGULAR || ! self::isBelieved($found['uid'], dirname($path))) {
            return null;
        }
        $file = Quietly::call(static fn () => fopen($path, 'r'));
        if (! is_resource($file)) {
            return null;
        }
        // Another file may have taken its place.
        $opened = fstat($file);
        $content = $opened !== false && [$opened['dev'], $opened['ino'], $opened['uid']] === [$found['dev'], $found['ino'], $found['uid']]
            ? (string) stream_get_contents($file, self::MAX_SIZE)
            : null;
        fclose($file);

        return $content === null ? null : [$content, $found['uid']];
    }

    /**
     * Puts a file in the place of another one of this user, whole, for all to read.
     *
     * @return bool whether it was possible; not in a directory that is not isOurs()
     */
    public static function replace(string $path, string $content): bool
    {
        $directory = dirname($path);
        if (! Quietly::call(static fn () => is_dir($directory))) {
            Quietly::call(static fn () => is_dir(dirname($directory)) && mkdir($directory, 0o700));
        }
        if (! self::isOurs($directory)) {
            return false;
        }
        $new = $path . '.' . bin2hex(random_bytes(4));
        // Its mode from the first moment on: a path that is changed later may be another file's.
        $mask = function_exists('umask') ? umask(0o022) : null;
        $file = Quietly::call(static fn () => fopen($new, 'x'));
        $mask === null || umask($mask);
        if (! is_resource($file)) {
            return false;
        }
        $written = Quietly::call(static fn () => fwrite($file, $content)) !== false;
        fclose($file);
        if ($written && Quietly::call(static fn () => rename($new, $path))) {
            return true;
        }
        self::delete($new);

        return false;
    }

    /** Deletes a file, or a link, that belongs to this user. */
    public static function delete(string $path): void
    {
        clearstatcache(true, $path);
        $found = self::look($path);
        if (is_array($found) && $found['uid'] === self::user()) {
            Quietly::call(static fn () => unlink($path));
        }
    }

    /**
     * Without a warning where there is no such file: it would reach the application's error handler.
     *
     * @return array<int>|false what lstat() says; false where there is no such file
     */
    private static function look(string $path): array|false
    {
        return Quietly::call(static fn () => is_link($path) || file_exists($path) ? lstat($path) : false);
    }

    private static function isBelieved(int $owner, string $directory): bool
    {
        if ($owner === self::user() || $owner === self::ROOT) {
            return true;
        }
        $status = Quietly::call(static fn () => is_dir($directory) ? stat($directory) : false);

        return is_array($status) && $status['uid'] === $owner && ($status['mode'] & self::OTHERS_WRITE) === 0;
    }
}
