<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use DateTimeInterface;

use function is_array;
use function is_float;
use function is_string;
use function sprintf;
use function strlen;

/**
 * Shows any value that a call can bring as JSON: for programs exactly, for people readably.
 */
final class Json
{
    private const FLAGS = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR;

    /** One line. What JSON can't hold becomes a map that says so: {"base64": "…"} for bytes, {"float": "NAN"}. */
    public static function line(mixed $value): string
    {
        return json_encode(self::exact($value), self::FLAGS, 1024);
    }

    /** Several lines, bytes by their number. */
    public static function pretty(mixed $value): string
    {
        return json_encode(self::readable($value), self::FLAGS | JSON_PRETTY_PRINT, 1024);
    }

    public static function isText(string $value): bool
    {
        return preg_match('//u', $value) === 1;
    }

    private static function exact(mixed $value): mixed
    {
        return match (true) {
            is_array($value) => array_map(self::exact(...), $value),
            is_string($value) && ! self::isText($value) => ['base64' => base64_encode($value)],
            is_float($value) && ! is_finite($value) => ['float' => (string) $value],
            $value instanceof DateTimeInterface => $value->format('Y-m-d\TH:i:s.uP'),
            default => $value,
        };
    }

    private static function readable(mixed $value): mixed
    {
        return match (true) {
            is_array($value) => array_map(self::readable(...), $value),
            is_string($value) && ! self::isText($value) => sprintf('(%d bytes)', strlen($value)),
            is_float($value) && ! is_finite($value) => (string) $value,
            $value instanceof DateTimeInterface => $value->format('Y-m-d\TH:i:s.uP'),
            default => $value,
        };
    }
}
