<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

use Closure;
use WeakMap;

use function getmypid;
use function register_shutdown_function;

/**
 * The TLS connections of this process, so that a child that it forks lets go of them before PHP closes them, whatever ends the child.
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
            // A fatal error skips destructors, and not this.
            register_shutdown_function(self::release(...));
        }
        self::$connections[$connection] = [(int) getmypid(), $release];
    }

    /**
     * Lets go of those that belong to the process that this one was forked from.
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
