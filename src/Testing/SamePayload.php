<?php

declare(strict_types=1);

namespace Reasno\GoTask\Testing;

use DateTimeInterface;
use JsonSerializable;
use Reasno\GoTask\Args;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\Values;
use Reasno\GoTask\NdArray;
use Reasno\GoTask\Raw;
use stdClass;

use function array_is_list;
use function is_array;

/**
 * Whether the worker would see a difference between two payloads.
 *
 * @internal
 */
final class SamePayload
{
    /**
     * Bytes that are the same for two maps in another order, but not for 1, 1.0, '1' and true, for text and bytes, or for an empty list
     * and an empty map.
     */
    public static function key(mixed $payload, MessagePackCodec $codec): string
    {
        return match (true) {
            $payload instanceof Raw => $payload->bytes,
            $payload instanceof Args => $codec->encode(self::ordered([$payload->positional, (object) $payload->named])),
            default => $codec->encode(self::ordered($payload)),
        };
    }

    private static function ordered(mixed $value): mixed
    {
        if ($value instanceof JsonSerializable && ! $value instanceof DateTimeInterface && ! $value instanceof NdArray) {
            return self::ordered(Values::standIn($value));
        }
        if (! is_array($value) && ! $value instanceof stdClass) {
            return $value;
        }
        $values = array_map(self::ordered(...), (array) $value);
        if (is_array($value) && array_is_list($value)) {
            return $values;
        }
        ksort($values, SORT_STRING);

        return (object) $values;
    }
}
