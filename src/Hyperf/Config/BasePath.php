<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Config;

use function constant;
use function defined;
use function dirname;
use function is_string;

/**
 * The folder of the application.
 *
 * @internal
 */
final class BasePath
{
    /** What it really is: links have been followed when the application was started. */
    public static function get(): string
    {
        $path = defined('BASE_PATH') ? constant('BASE_PATH') : null;

        return is_string($path) ? $path : (string) getcwd();
    }

    /**
     * The same folder by the path that the application was started with, `/srv/current` where `current` is a link: what is looked up
     * there later is found in the release that the link names by then.
     */
    public static function asStarted(): string
    {
        $script = is_string($_SERVER['SCRIPT_FILENAME'] ?? null) ? $_SERVER['SCRIPT_FILENAME'] : '';

        return self::through($script, (string) getenv('PWD'), self::get());
    }

    /**
     * @param string $script of the application, two levels below its folder
     * @param string $shell the working directory as the shell knows it; '' where it is not known
     * @return string the folder by the script's path; `$real` where that is another one
     */
    public static function through(string $script, string $shell, string $real): string
    {
        if ($script !== '' && $script[0] !== '/') {
            $script = $shell !== '' && @realpath($shell) === getcwd() ? "{$shell}/{$script}" : $script;
        }
        $folder = (string) preg_replace('~/\.(?=/|$)~', '', dirname($script, 2));

        return $folder !== '' && $folder[0] === '/' && @realpath($folder) === @realpath($real) ? $folder : $real;
    }
}
