<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Config;

use function constant;
use function defined;
use function is_string;

/**
 * The folder of the application.
 *
 * @internal
 */
final class BasePath
{
    public static function get(): string
    {
        $path = defined('BASE_PATH') ? constant('BASE_PATH') : null;

        return is_string($path) ? $path : (string) getcwd();
    }
}
