<?php

declare(strict_types=1);

namespace Reasno\GoTask\Codec;

use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\NdArray;
use ValueError;

use function array_values;
use function chr;
use function count;
use function pack;
use function rtrim;
use function strlen;
use function unpack;

/**
 * Arrays of numbers in MessagePack, as docs/protocol.md has them under 'Arrays'.
 *
 * @internal
 */
final class ArrayExtension
{
    /** The type of the extension, as the byte that it is on the wire. */
    public const TYPE = 1;

    /** Bytes before the lengths of the dimensions: the name of the elements' type, and how many dimensions there are. */
    private const HEAD = 16;

    /**
     * What stands before the elements.
     *
     * @throws EncodeFailed
     */
    public static function head(NdArray $array): string
    {
        $head = pack('a8P*', $array->dtype, count($array->shape), ...$array->shape);
        $length = strlen($head) + $array->size();

        return match (true) {
            $length < 0x100 => "\xc7" . chr($length),
            $length < 0x10000 => pack('Cn', 0xC8, $length),
            $length < 1 << 32 => pack('CN', 0xC9, $length),
            default => throw new EncodeFailed("is an array of {$array->size()} bytes, MessagePack holds 2³²−1: send slices of it."),
        } . chr(self::TYPE) . $head;
    }

    /**
     * The array that lies in a body from $offset to $end. It holds the body, unless most of that is something else.
     *
     * @throws DecodeFailed
     */
    public static function decode(string $body, int $offset, int $end): NdArray
    {
        if ($end - $offset < self::HEAD) {
            throw new DecodeFailed('is an array shorter than its head.');
        }
        /** @var array{dtype: string, dimensions: int} $head */
        $head = unpack('a8dtype/Pdimensions', $body, $offset);
        $start = $offset + self::HEAD;
        $dimensions = $head['dimensions'];
        if ($dimensions < 1 || $dimensions > NdArray::MAX_DIMENSIONS || $end - $start < 8 * $dimensions) {
            throw new DecodeFailed("is an array of {$dimensions} dimensions; 1 to " . NdArray::MAX_DIMENSIONS . ' are possible.');
        }
        /** @var list<int> $shape */
        $shape = array_values((array) unpack("P{$dimensions}", $body, $start));
        $start += 8 * $dimensions;

        try {
            $isMost = 2 * ($end - $start) >= strlen($body);

            return $isMost
                ? NdArray::within($body, $start, $end, rtrim($head['dtype'], "\0"), $shape)
                : NdArray::fromBytes(substr($body, $start, $end - $start), rtrim($head['dtype'], "\0"), $shape);
        } catch (ValueError $error) {
            throw new DecodeFailed("can't be an array: {$error->getMessage()}", $error);
        }
    }
}
