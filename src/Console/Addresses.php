<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

/**
 * Where commands look for a worker that nobody told them the address of: the same places as the Python side.
 */
final class Addresses
{
    public const DEFAULT = 'unix://runtime/gotask/default.sock';

    /**
     * @return non-empty-list<string> of the variable GOTASK_ADDRESS, where commas separate several; else the default, relative to
     *                                the working directory
     */
    public static function default(): array
    {
        $given = array_values(array_filter(array_map(trim(...), explode(',', (string) getenv('GOTASK_ADDRESS')))));

        return $given === [] ? [self::DEFAULT] : $given;
    }
}
