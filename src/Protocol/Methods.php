<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use function array_fill_keys;
use function array_filter;
use function array_map;
use function function_exists;
use function is_array;
use function is_string;
use function json_decode;
use function mb_strtolower;
use function str_contains;
use function str_replace;
use function strtolower;

/**
 * Which methods a broker says are idempotent.
 *
 * @internal
 */
final class Methods
{
    /**
     * @param array<string, true> $idempotent by their name as fold() makes it
     */
    private function __construct(private readonly array $idempotent)
    {
    }

    /**
     * @param mixed $reply the reply to GoTask.Methods, or what else a peer of another kind says
     */
    public static function of(mixed $reply): self
    {
        $idempotent = [];
        foreach (is_array($reply) ? $reply : [] as $method) {
            if (is_array($method) && is_string($method['name'] ?? null) && ($method['idempotent'] ?? null) === true) {
                $idempotent[self::fold($method['name'])] = true;
            }
        }

        return new self($idempotent);
    }

    /**
     * @param string $greeting what a broker said when it was greeted, see Session
     * @return null|self null: it told nothing of this
     */
    public static function told(string $greeting): ?self
    {
        $said = json_decode($greeting, true);
        $names = is_array($said) ? $said['idempotent'] ?? null : null;
        if (! is_array($names)) {
            return null;
        }

        return new self(array_fill_keys(array_map(self::fold(...), array_filter($names, is_string(...))), true));
    }

    /**
     * @param string $name in any spelling that the broker takes for the method
     */
    public function isIdempotent(string $name): bool
    {
        return isset($this->idempotent[self::fold($name)]) && ! str_contains(".{$name}", '._');
    }

    /**
     * The form that all spellings of a name share, and that no two methods of a broker share.
     */
    public static function fold(string $name): string
    {
        $name = str_replace('_', '', $name);

        return function_exists('mb_strtolower') ? mb_strtolower($name, 'UTF-8') : strtolower($name);
    }
}
