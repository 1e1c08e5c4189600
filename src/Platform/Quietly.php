<?php

declare(strict_types=1);

namespace Reasno\GoTask\Platform;

use Closure;
use ErrorException;

/**
 * For what warns of that which its result says as well. `@` alone is not enough: error handlers that compare error_reporting() with 0,
 * as was right before PHP 8, make exceptions of suppressed warnings, too.
 *
 * @internal
 */
final class Quietly
{
    /**
     * @template T
     * @param Closure(): T $do
     * @param string $warning becomes the warning, where such a handler has thrown it
     * @return false|T false where it has thrown
     */
    public static function call(Closure $do, string &$warning = ''): mixed
    {
        try {
            return @$do();
        } catch (ErrorException $exception) {
            $warning = $exception->getMessage();

            return false;
        }
    }
}
