<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

/**
 * What a terminal sends for the keys that are pressed.
 *
 * @internal
 */
final class Keys
{
    private const NAMES = [
        "\x03" => 'ctrl-c',
        "\e" => 'escape',
        "\e[A" => 'up',
        "\eOA" => 'up',
        "\e[B" => 'down',
        "\eOB" => 'down',
        "\e[5~" => 'page-up',
        "\e[6~" => 'page-down',
    ];

    /**
     * @return list<string> printable keys as they are, others by their names; of those that have none here there is something that
     *                      nothing listens to
     */
    public static function of(string $bytes): array
    {
        preg_match_all('/\e\[[0-9;]*[A-Za-z~]|\eO[A-Za-z]|[\s\S]/', $bytes, $keys);

        return array_map(static fn (string $key): string => self::NAMES[$key] ?? $key, $keys[0]);
    }
}
