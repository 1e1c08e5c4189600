<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

use FFI;
use Reasno\GoTask\Platform\Quietly;
use Throwable;

use function basename;
use function class_exists;
use function fstat;
use function function_exists;
use function glob;
use function readlink;

/**
 * How a forked child lets go of a TLS connection that it inherited. PHP says goodbye on whatever TLS stream it closes, at the latest when
 * the process ends, and the peer then ends the connection for the parent, too. PHP itself can close no descriptor without that:
 * ext-ffi can put /dev/null in its place first.
 *
 * @internal
 */
final class Descriptor
{
    private const WRITE_ONLY = 1;

    /**
     * @param resource $stream of a socket, with TLS
     * @return bool whether it can be closed now without a byte
     */
    public static function detachStream(mixed $stream): bool
    {
        if (! function_exists('readlink') || ! function_exists('glob')) {
            return false;
        }
        $inode = fstat($stream)['ino'] ?? 0;
        $detached = false;
        foreach ($inode === 0 ? [] : (glob('/proc/self/fd/*') ?: []) as $path) {
            if (Quietly::call(static fn () => readlink($path)) === "socket:[{$inode}]") {
                $detached = self::detach((int) basename($path)) || $detached;
            }
        }

        return $detached;
    }

    public static function detach(int $descriptor): bool
    {
        if (! class_exists(FFI::class, false)) {
            return false;
        }

        try {
            $c = FFI::cdef('int open(const char *path, int flags); int dup2(int from, int to); int close(int descriptor);');
            $null = $c->open('/dev/null', self::WRITE_ONLY); // @phpstan-ignore method.notFound (declared above)
            if ($null < 0) {
                return false;
            }
            $detached = $c->dup2($null, $descriptor) === $descriptor; // @phpstan-ignore method.notFound (declared above)
            $c->close($null); // @phpstan-ignore method.notFound (declared above)

            return $detached;
        } catch (Throwable) {
            // ffi.enable forbids it.
            return false;
        }
    }
}
