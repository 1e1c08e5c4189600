<?php

declare(strict_types=1);

namespace Reasno\GoTask\Goridge;

use Reasno\GoTask\Bytes;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Raw;

use function get_debug_type;
use function is_string;

/**
 * No codec: the body is the bytes.
 */
final class RawCodec implements Codec
{
    public function flag(): int
    {
        return Flag::RAW;
    }

    /**
     * @param mixed $value a string, Raw or Bytes; null for an empty body
     */
    public function encode(mixed $value): string
    {
        return match (true) {
            is_string($value) => $value,
            $value instanceof Raw, $value instanceof Bytes => $value->bytes,
            $value === null => '',
            default => throw new EncodeFailed(
                'is of type ' . get_debug_type($value) . '; RAW takes a string, or use MessagePack or JSON.',
            ),
        };
    }

    public function decode(string $body): string
    {
        return $body;
    }
}
