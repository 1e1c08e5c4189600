<?php

declare(strict_types=1);

namespace Reasno\GoTask\Codec;

use DateTimeImmutable;
use DateTimeInterface;
use DateTimeZone;
use JsonException;
use JsonSerializable;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Platform\Memory;
use stdClass;

use function array_is_list;
use function array_map;
use function array_sum;
use function function_exists;
use function ini_get;
use function ini_set;
use function intdiv;
use function is_array;
use function is_finite;
use function is_float;
use function is_object;
use function is_scalar;
use function is_string;
use function json_decode;
use function json_encode;
use function preg_match;
use function preg_replace;
use function strlen;
use function substr_count;

use const JSON_BIGINT_AS_STRING;
use const JSON_ERROR_DEPTH;
use const JSON_PRESERVE_ZERO_FRACTION;
use const JSON_THROW_ON_ERROR;
use const JSON_UNESCAPED_SLASHES;
use const JSON_UNESCAPED_UNICODE;

/**
 * JSON, for peers that speak no MessagePack.
 *
 * It has no form for bytes, NaN and infinities; times go as RFC 3339 strings and come back as such.
 */
final class JsonCodec implements Codec
{
    /** Bytes that one byte of a body takes at most when it is decoded: half a list. */
    private const MOST_SIZE = Values::LIST_SIZE / 2;

    private const FLAGS = JSON_THROW_ON_ERROR
        | JSON_PRESERVE_ZERO_FRACTION
        | JSON_UNESCAPED_SLASHES
        | JSON_UNESCAPED_UNICODE;

    public function flag(): int
    {
        return Flag::JSON;
    }

    public function encode(mixed $value): string
    {
        if (is_array($value) ? Values::arePlain($value) : is_scalar($value)) {
            try {
                return self::json($value);
            } catch (JsonException) {
                // normalize() finds the place.
            }
        }
        $value = $this->normalize($value, 0);

        try {
            return self::json($value);
        } catch (JsonException $cause) {
            throw new EncodeFailed("can't be encoded as JSON: {$cause->getMessage()}.", $cause);
        }
    }

    public function decode(string $body): mixed
    {
        if ($body === '') {
            return null;
        }
        if (strlen($body) > Values::MAX_ELEMENTS && self::holdsTooMuch($body)) {
            throw new DecodeFailed('has more than ' . Values::MAX_ELEMENTS . ' elements: let Python return them in several results, or as bytes.');
        }
        $value = self::fits($body) ? self::parse($body) : throw Values::tooMuch();
        // PHP makes a float of an integer that it can't hold; PHP_INT_MAX has 19 digits.
        if (preg_match('/\d{19}/', $body) === 1) {
            self::fits($body) || throw Values::tooMuch();
            self::refuseBigIntegers($value, self::parse($body, JSON_BIGINT_AS_STRING));
        }

        return $value;
    }

    /**
     * Whether memory_limit leaves room for what the body is decoded to.
     *
     * @internal
     * @phpstan-impure
     */
    public static function fits(string $body): bool
    {
        $length = strlen($body);
        if ($length < Values::SMALL || Memory::leaves(self::MOST_SIZE * $length) || Memory::leaves($length + self::size($body))) {
            return true;
        }

        return Memory::leaves(2 * $length) && Memory::leaves($length + self::size(self::bare($body) ?? $body));
    }

    /**
     * Replaces what JSON has no form for by what is sent in its place.
     *
     * @param int $depth arrays that the value stands in
     * @throws EncodeFailed
     */
    private function normalize(mixed $value, int $depth): mixed
    {
        return match (true) {
            is_string($value) => preg_match('//u', $value) === 1
                ? $value
                : throw new EncodeFailed('is a string that is not UTF-8, which JSON has no form for: use MessagePack.'),
            is_array($value) => $this->normalizeArray($value, $depth),
            is_float($value) => is_finite($value)
                ? $value
                : throw new EncodeFailed("is {$value}, which JSON has no form for: use MessagePack."),
            $value === null, is_scalar($value) => $value,
            is_object($value) => $this->normalizeObject($value, $depth),
            default => throw new EncodeFailed(Values::refusal($value)),
        };
    }

    /**
     * @param array<mixed> $values
     * @return array<mixed>
     */
    private function normalizeArray(array $values, int $depth): array
    {
        if ($depth >= Values::MAX_DEPTH) {
            throw Values::tooDeep();
        }
        $key = '';
        // A new array: elements of the caller's may be references.
        $normalized = [];

        try {
            foreach ($values as $key => $value) {
                if (is_string($key) && preg_match('//u', $key) !== 1) {
                    throw new EncodeFailed('has a key that is not UTF-8, which JSON has no form for: use MessagePack.');
                }
                $normalized[$key] = $this->normalize($value, $depth + 1);
            }
        } catch (EncodeFailed $failure) {
            throw $failure->within($key);
        }

        return $normalized;
    }

    private function normalizeObject(object $object, int $depth): mixed
    {
        if ($object instanceof DateTimeInterface) {
            return self::time($object);
        }
        if ($object instanceof Bytes) {
            throw new EncodeFailed('is bytes, which JSON has no form for: use MessagePack, or send a base64 string.');
        }
        if ($object instanceof stdClass && ! $object instanceof JsonSerializable) {
            $values = $this->normalizeArray(Values::properties($object), $depth);

            // json_encode() makes an array of a list, and {} of an object alone.
            return array_is_list($values) ? (object) $values : $values;
        }
        $standIn = Values::standIn($object);
        if (! is_object($standIn)) {
            return $this->normalize($standIn, $depth);
        }
        // An object may name itself as its stand-in: each step counts as a level.
        return $depth < Values::MAX_DEPTH ? $this->normalizeObject($standIn, $depth + 1) : throw Values::tooDeep();
    }

    private static function time(DateTimeInterface $time): string
    {
        Values::seconds($time);
        // RFC 3339 has four digits for the year, and no seconds in an offset, which zones had before the twentieth century.
        if ($time->getOffset() % 60 !== 0 || preg_match('/^(?!0000)\d{4}$/', $time->format('Y')) !== 1) {
            $time = DateTimeImmutable::createFromInterface($time)->setTimezone(new DateTimeZone('UTC'));
        }

        return $time->format($time->format('u') === '000000' ? DateTimeInterface::RFC3339 : 'Y-m-d\TH:i:s.uP');
    }

    /**
     * @throws JsonException
     */
    private static function json(mixed $value): string
    {
        // php.ini may say that floats are to be cut. Where ini_set() is disabled they are.
        $precision = ini_get('serialize_precision');
        if ($precision === '-1' || ! function_exists('ini_set')) {
            return json_encode($value, self::FLAGS, Values::MAX_DEPTH);
        }
        ini_set('serialize_precision', '-1');

        try {
            return json_encode($value, self::FLAGS, Values::MAX_DEPTH);
        } finally {
            ini_set('serialize_precision', (string) $precision);
        }
    }

    /**
     * Each element but the first of a container has a comma before it, and each container a bracket.
     */
    private static function holdsTooMuch(string $body): bool
    {
        $marks = static fn (string $text): int => array_sum(array_map(static fn (string $mark): int => substr_count($text, $mark), [',', '[', '{', ':']));
        if ($marks($body) <= Values::MAX_ELEMENTS) {
            return false;
        }
        $bare = self::bare($body);

        return $bare === null || $marks($bare) > Values::MAX_ELEMENTS;
    }

    /**
     * The body with empty strings in place of its strings; null where PCRE reaches one of its limits.
     */
    private static function bare(string $body): ?string
    {
        // Possessive throughout: it never backtracks.
        return preg_replace('/"(?:[^"\\\]++|\\\.?+)*+"?+/s', '""', $body);
    }

    /**
     * @return int bytes that arrays and strings take, at most, without the contents of the strings
     */
    private static function size(string $body): int
    {
        return Values::LIST_SIZE * substr_count($body, '[')
            + Values::MAP_SIZE * substr_count($body, '{')
            + Values::ELEMENT_SIZE * (substr_count($body, ',') + 2 * substr_count($body, ':'))
            + intdiv(Values::STRING_SIZE * substr_count($body, '"'), 2);
    }

    private static function parse(string $body, int $flags = 0): mixed
    {
        try {
            // A scalar counts as a level here, unlike in json_encode().
            return json_decode($body, true, Values::MAX_DEPTH + 1, JSON_THROW_ON_ERROR | $flags);
        } catch (JsonException $cause) {
            throw new DecodeFailed(
                $cause->getCode() === JSON_ERROR_DEPTH
                    ? 'is nested more than ' . Values::MAX_DEPTH . ' deep.'
                    : "is malformed JSON: {$cause->getMessage()}.",
                $cause,
            );
        }
    }

    /**
     * @param mixed $exact the same value with a string in place of each integer that PHP can't hold
     */
    private static function refuseBigIntegers(mixed $value, mixed $exact): void
    {
        if (is_float($value) && is_string($exact)) {
            throw new DecodeFailed("is the integer {$exact}, which PHP can't hold: let Python return it as str or float.");
        }
        if (is_array($value) && is_array($exact)) {
            foreach ($value as $key => $element) {
                try {
                    self::refuseBigIntegers($element, $exact[$key]);
                } catch (DecodeFailed $failure) {
                    throw $failure->within($key);
                }
            }
        }
    }
}
