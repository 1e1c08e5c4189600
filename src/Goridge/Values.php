<?php

declare(strict_types=1);

namespace Reasno\GoTask\Goridge;

use BackedEnum;
use Closure;
use JsonSerializable;
use Reasno\GoTask\Args;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Raw;
use Throwable;
use UnitEnum;

use function get_debug_type;
use function is_array;
use function is_bool;
use function is_float;
use function is_int;
use function is_object;
use function is_string;
use function sprintf;

/**
 * What may stand in a payload, whatever the codec.
 *
 * @internal
 */
final class Values
{
    /** Arrays and maps within each other. */
    public const MAX_DEPTH = 512;

    /**
     * In all containers of a body together, a map's entry counting twice. Each takes a byte there, and up to two hundred here.
     */
    public const MAX_ELEMENTS = 4 * 1024 * 1024;

    /**
     * Whether there is nothing but null, bool, int, float, string and arrays of such, not too deep.
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
                        $object::class,
                        $cause::class,
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
            is_object($value) => "is an object of class {$type}, which can't be sent: "
                . 'let it implement JsonSerializable, or send an array.',
            default => "is a {$type}, which can't be sent.",
        };
    }
}
