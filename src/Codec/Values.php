<?php

declare(strict_types=1);

namespace Reasno\GoTask\Codec;

use BackedEnum;
use Closure;
use DateTimeInterface;
use Error;
use JsonSerializable;
use Reasno\GoTask\Args;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Raw;
use stdClass;
use Throwable;
use Traversable;
use UnitEnum;

use function get_debug_type;
use function gmdate;
use function ini_get;
use function is_array;
use function is_bool;
use function is_float;
use function is_int;
use function is_object;
use function is_string;
use function sprintf;
use function str_starts_with;
use function strrchr;
use function substr;

/**
 * The values that a payload may hold.
 *
 * @internal
 */
final class Values
{
    /** Arrays and maps within each other. */
    public const MAX_DEPTH = 512;

    /**
     * In all containers of a body together; an entry of a map counts as two. An element takes a byte in the body, and up to 200 here.
     */
    public const MAX_ELEMENTS = 4 * 1024 * 1024;

    /** Bytes that PHP allocates for a list and for a map of a few elements, and at most for each further element of a list that grows. */
    public const LIST_SIZE = 270;

    public const MAP_SIZE = 450;

    public const ELEMENT_SIZE = 48;

    /** Bytes beside the contents of a string. */
    public const STRING_SIZE = 40;

    /** A body of fewer bytes is decoded without asking for the memory: no codec makes more of it than Memory has in reserve. */
    public const SMALL = 1_000;

    /** What Python's datetime and RFC 3339 hold: the years 1 to 9999, here in UTC, as Unix times. */
    private const FIRST_SECOND = -62_135_596_800;
    private const LAST_SECOND = 253_402_300_799;

    /**
     * Whether an array holds only null, bool, int, float, string and arrays of these, and is not too deep.
     * An array that contains itself is too deep.
     *
     * @param array<mixed> $values
     */
    public static function arePlain(array $values, int $depth = 1): bool
    {
        foreach ($values as $value) {
            if (is_string($value) || is_int($value)) {
                continue;
            }
            if (is_array($value)) {
                if ($depth >= self::MAX_DEPTH || ! self::arePlain($value, $depth + 1)) {
                    return false;
                }
            } elseif (! is_float($value) && ! is_bool($value) && $value !== null) {
                return false;
            }
        }

        return true;
    }

    /**
     * Whether no array is too deep.
     *
     * @param array<mixed> $values
     */
    public static function areShallow(array $values, int $depth = 1): bool
    {
        foreach ($values as $value) {
            if (is_array($value) && ($depth >= self::MAX_DEPTH || ! self::areShallow($value, $depth + 1))) {
                return false;
            }
        }

        return true;
    }

    /**
     * @return string the body of a call with the flag CallFlag::ARGS
     * @throws EncodeFailed
     */
    public static function encodeArguments(Args $arguments, MessagePackCodec $codec): string
    {
        try {
            // An object, since no arguments by name must be an empty map and not an empty list.
            return $codec->encode([$arguments->positional, (object) $arguments->named]);
        } catch (EncodeFailed $failure) {
            throw $failure->ofArguments();
        }
    }

    /**
     * What is sent in place of an object that no codec has its own form for.
     *
     * @throws EncodeFailed where there is no such thing
     */
    public static function standIn(object $object): mixed
    {
        if ($object instanceof JsonSerializable) {
            try {
                return $object->jsonSerialize();
            } catch (Throwable $cause) {
                throw new EncodeFailed(
                    sprintf(
                        "can't be encoded: %s::jsonSerialize() threw %s: %s",
                        get_debug_type($object),
                        get_debug_type($cause),
                        $cause->getMessage(),
                    ),
                    $cause,
                );
            }
        }
        if ($object instanceof BackedEnum) {
            return $object->value;
        }

        throw new EncodeFailed(self::refusal($object));
    }

    /**
     * @return int the Unix time
     * @throws EncodeFailed where Python has no such time
     */
    public static function seconds(DateTimeInterface $time): int
    {
        try {
            $seconds = $time->getTimestamp();
        } catch (Error $cause) {
            // The constructor of a subclass did not call its parent's.
            throw new EncodeFailed("can't be encoded: {$cause->getMessage()}", $cause);
        }
        if ($seconds < self::FIRST_SECOND || $seconds > self::LAST_SECOND) {
            throw new EncodeFailed('is a time in the year ' . gmdate('Y', $seconds) . '; the years 1 to 9999, in UTC, can be sent.');
        }

        return $seconds;
    }

    /**
     * @return array<mixed> what the object has
     * @throws EncodeFailed where a subclass hides some of it
     */
    public static function properties(stdClass $object): array
    {
        $properties = (array) $object;
        if ($object::class !== stdClass::class) {
            foreach ($properties as $name => $_) {
                if (is_string($name) && str_starts_with($name, "\0")) {
                    throw new EncodeFailed(sprintf(
                        'is an object of class %s, whose property %s is not public: let it implement JsonSerializable, or send an array.',
                        get_debug_type($object),
                        substr((string) strrchr($name, "\0"), 1),
                    ));
                }
            }
        }

        return $properties;
    }

    public static function tooMuch(): DecodeFailed
    {
        return new DecodeFailed(
            "has more elements than PHP's memory_limit of " . ini_get('memory_limit') . ' leaves room for: raise it, or let Python return less at a time, or bytes.',
        );
    }

    public static function tooDeep(): EncodeFailed
    {
        return new EncodeFailed('is nested more than ' . self::MAX_DEPTH . ' deep, or contains itself.');
    }

    /**
     * Why a value that is neither null, scalar nor array can't be sent.
     */
    public static function refusal(mixed $value): string
    {
        $type = get_debug_type($value);

        return match (true) {
            $value instanceof Closure => "is a closure, which can't be sent.",
            $value instanceof Raw, $value instanceof Args => "is {$type}, which is a whole payload and not a part of one.",
            $value instanceof UnitEnum => "is {$type}::{$value->name}, an enum case without a value: send its name.",
            $value instanceof Traversable => "is an object of class {$type}, which can't be sent as a part of a payload: send iterator_to_array() of it, or give it to the call as its input.",
            is_object($value) => "is an object of class {$type}, which can't be sent: "
                . 'let it implement JsonSerializable, or send an array.',
            default => "is a {$type}, which can't be sent.",
        };
    }
}
