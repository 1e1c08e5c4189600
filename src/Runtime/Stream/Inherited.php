<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

use Closure;
use WeakMap;

use function getmypid;
use function register_shutdown_function;

/**
 * Knows the TLS connections of this process: a forked child lets go of them before PHP closes them, however the child ends.
 *
 * @internal
 */
final class Inherited
{
    /** @var null|WeakMap<object, array{int, Closure(): void}> the process of each, and how to let go of it */
    private static ?WeakMap $connections = null;

    /**
     * @param Closure(): void $release holds no reference to the connection
     */
    public static function watch(object $connection, Closure $release): void
    {
        if (self::$connections === null) {
            self::$connections = new WeakMap();
            // A fatal error skips destructors, but not this function.
            register_shutdown_function(self::release(...));
        }
        self::$connections[$connection] = [(int) getmypid(), $release];
    }

    /**
     * Lets go of the connections that the parent of this process opened.
     */
    public static function release(): void
    {
        foreach (self::$connections ?? [] as [$pid, $release]) {
            if ($pid !== getmypid()) {
                $release();
            }
        }
    }
}
