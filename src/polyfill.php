<?php

declare(strict_types=1);

// A function that disable_functions in php.ini takes away does not exist since PHP 8, and may be defined. Without this one no
// process could tell itself from the one that it was forked from.
if (! function_exists('getmypid')) {
    /**
     * @return int the number of this process; 0 where nothing tells
     */
    function getmypid(): int
    {
        return function_exists('posix_getpid') ? posix_getpid() : (int) @readlink('/proc/self');
    }
}
