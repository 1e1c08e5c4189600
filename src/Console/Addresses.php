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
     * @param null|string $given what a command was told, where commas separate several
     * @return non-empty-list<string> these; else those of the variable GOTASK_ADDRESS, written alike; else the default, relative to
     *                                the working directory
     */
    public static function of(?string $given = null): array
    {
        return self::split($given ?? (string) getenv('GOTASK_ADDRESS')) ?: [self::DEFAULT];
    }

    /**
     * @return list<string>
     */
    public static function split(string $addresses): array
    {
        return array_values(array_filter(array_map(trim(...), explode(',', $addresses))));
    }
}
