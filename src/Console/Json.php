<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use DateTimeInterface;
use InvalidArgumentException;
use JsonException;
use Reasno\GoTask\Codec\TextKeys;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\NdArray;
use stdClass;

use function function_exists;
use function is_array;
use function is_float;
use function is_int;
use function is_object;
use function is_string;
use function ord;
use function sprintf;
use function strlen;

/**
 * Shows any value that a call can bring as JSON: for programs exactly, for people readably.
 *
 * @internal
 */
final class Json
{
    /**
     * What json_encode() leaves as it is, and a terminal obeys: the control characters U+007F to U+009F, and those that turn the direction of
     * writing, by which a text shows as another one.
     */
    public const UNSEEN = '\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]';
    private const FLAGS = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION;

    /** Arrays and objects within each other, in what is read. */
    private const DEPTH = 512;

    /**
     * One line. What JSON can't hold becomes a map that says so: {"base64": "…"} for bytes, {"float": "NAN"}, and
     * {"entries": [[key, value], …]} for a map of which some keys are bytes.
     */
    public static function line(mixed $value): string
    {
        return self::encode(self::exact($value), self::FLAGS);
    }

    /** Several lines, bytes by their number. */
    public static function pretty(mixed $value): string
    {
        return self::encode(self::readable($value), self::FLAGS | JSON_PRETTY_PRINT);
    }

    /**
     * @param string $source where the text is from, for the message
     * @return mixed the value, with objects as objects: an empty map is not an empty list
     * @throws InvalidArgumentException when it is not JSON
     * @throws EncodeFailed when it holds a number that PHP can't
     */
    public static function parse(string $text, string $source): mixed
    {
        // Some editors and shells put a byte order mark first, which RFC 8259 lets a reader ignore.
        $text = str_starts_with($text, "\xef\xbb\xbf") ? substr($text, 3) : $text;
        try {
            $value = json_decode($text, false, self::DEPTH, JSON_THROW_ON_ERROR);
            self::refuseInexact($value, json_decode($text, false, self::DEPTH, JSON_THROW_ON_ERROR | JSON_BIGINT_AS_STRING));
        } catch (JsonException $error) {
            $shown = self::isText($text) ? preg_replace('/^(.{60}).+/us', '$1…', $text) : '(bytes)';
            $isBare = $error->getCode() === JSON_ERROR_SYNTAX && preg_match('/^[^\s\[{"]/', $text) === 1;

            throw new InvalidArgumentException(
                "{$source} is not JSON: {$error->getMessage()}: {$shown}" . ($isBare ? ' (text needs double quotes, within single ones for the shell)' : ''),
                previous: $error,
            );
        }

        return self::withTextKeys($value);
    }

    public static function isText(string $value): bool
    {
        return preg_match('//u', $value) === 1;
    }

    /**
     * @param mixed $exact the same value with a string in place of each integer that PHP can't hold
     */
    private static function refuseInexact(mixed $value, mixed $exact): void
    {
        if (is_float($value) && (is_string($exact) || ! is_finite($value))) {
            throw new EncodeFailed(is_string($exact)
                ? "is the integer {$exact}, which PHP can't hold: write it in quotes, or with a decimal point if it need not be exact."
                : "is a number above 1.8e308, which a float can't hold.");
        }
        foreach (is_array($value) || is_object($value) ? (array) $value : [] as $key => $element) {
            try {
                self::refuseInexact($element, ((array) $exact)[$key]);
            } catch (EncodeFailed $failure) {
                throw $failure->within($key);
            }
        }
    }

    /** What json_decode() gave, for the codec: keys stay text. */
    private static function withTextKeys(mixed $value): mixed
    {
        return match (true) {
            is_array($value) => array_map(self::withTextKeys(...), $value),
            is_object($value) && array_filter(array_keys((array) $value), is_int(...)) !== [] => new TextKeys(array_map(self::withTextKeys(...), (array) $value)),
            is_object($value) => (object) array_map(self::withTextKeys(...), (array) $value),
            default => $value,
        };
    }

    private static function encode(mixed $value, int $flags): string
    {
        // php.ini may have floats cut.
        if (function_exists('ini_set')) {
            ini_set('serialize_precision', '-1');
        }

        // These characters occur within strings only.
        return (string) preg_replace_callback(
            '/' . self::UNSEEN . '/',
            static fn (array $match): string => strlen($match[0]) < 3 ? sprintf('\u%04x', ord($match[0][strlen($match[0]) - 1])) : trim((string) json_encode($match[0]), '"'),
            json_encode($value, $flags | JSON_THROW_ON_ERROR, 2 * self::DEPTH),
        );
    }

    private static function exact(mixed $value): mixed
    {
        return match (true) {
            is_array($value) && ! self::hasTextKeys($value) => ['entries' => array_map(
                static fn (int|string $key, mixed $element): array => [self::exact($key), self::exact($element)],
                array_keys($value),
                $value,
            )],
            is_array($value) => array_map(self::exact(...), $value),
            $value instanceof stdClass => (object) self::exact((array) $value),
            is_string($value) && ! self::isText($value) => ['base64' => base64_encode($value)],
            is_float($value) && ! is_finite($value) => ['float' => (string) $value],
            $value instanceof DateTimeInterface => $value->format('Y-m-d\TH:i:s.uP'),
            $value instanceof NdArray => self::exact($value->toArray()),
            default => $value,
        };
    }

    private static function readable(mixed $value): mixed
    {
        return match (true) {
            is_array($value) => array_combine(
                array_map(static fn (int|string $key): int|string => is_int($key) || self::isText($key) ? $key : '0x' . bin2hex($key), array_keys($value)),
                array_map(self::readable(...), $value),
            ),
            $value instanceof stdClass => (object) self::readable((array) $value),
            is_string($value) && ! self::isText($value) => sprintf('(%d bytes)', strlen($value)),
            is_float($value) && ! is_finite($value) => (string) $value,
            $value instanceof NdArray => self::readable($value->toArray()),
            $value instanceof DateTimeInterface => $value->format('Y-m-d\TH:i:s.uP'),
            default => $value,
        };
    }

    /**
     * @param array<mixed> $values
     */
    private static function hasTextKeys(array $values): bool
    {
        foreach ($values as $key => $_) {
            if (is_string($key) && ! self::isText($key)) {
                return false;
            }
        }

        return true;
    }
}
