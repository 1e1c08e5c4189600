<?php

declare(strict_types=1);

namespace Reasno\GoTask\Codec;

use DateTimeZone;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\NdArray;
use Reasno\GoTask\Platform\Memory;
use Reasno\GoTask\Time;

use function count;
use function get_debug_type;
use function intdiv;
use function is_bool;
use function is_float;
use function is_int;
use function is_string;
use function ord;
use function sprintf;
use function strlen;
use function substr;
use function unpack;

/**
 * MessagePack, complete for what docs/protocol.md lists, in PHP. An instance decodes one body.
 *
 * Work and memory are bounded by the length of the body: nothing is allocated for a count that the body only declares.
 *
 * @internal
 */
final class MessagePackDecoder
{
    /** The extension type of a timestamp, −1, as the byte that it is on the wire. */
    private const TIMESTAMP = 0xFF;
    /** Memory is checked after so many bytes (CHECK), and for each container of so many elements (MANY). */
    private const CHECK = 262_144;
    private const MANY = 4_096;
    private const UINT64 = 'is the unsigned integer %u, above PHP_INT_MAX: let Python return it as str or float.';

    private readonly int $length;

    private int $offset = 0;

    private int $elements = 0;

    /** Whether memory_limit may leave no room for what the body is decoded to; if not, the next two are not kept. */
    private readonly bool $isTight;

    /** Bytes that may have been allocated since the memory was looked at, and that containers under way may still take. */
    private int $unchecked = 0;

    private int $growing = 0;

    public function __construct(private readonly string $body)
    {
        $this->length = strlen($body);
        $this->isTight = $this->length >= Values::SMALL && ! Memory::leaves(Values::LIST_SIZE * $this->length);
    }

    /**
     * @throws DecodeFailed
     */
    public function decode(): mixed
    {
        $value = $this->value(0);
        if ($this->offset !== $this->length) {
            throw new DecodeFailed("is malformed: the value ends at byte {$this->offset} of {$this->length}.");
        }

        return $value;
    }

    /**
     * @param int $depth arrays and maps that the value stands in
     */
    private function value(int $depth): mixed
    {
        $offset = $this->offset;
        if ($offset >= $this->length) {
            throw $this->truncated();
        }
        $this->offset = $offset + 1;
        $type = ord($this->body[$offset]);
        if ($type < 0x80) {
            return $type;
        }
        if ($type < 0xA0) {
            return $type < 0x90 ? $this->map($type & 0x0F, $depth) : $this->list($type & 0x0F, $depth);
        }
        if ($type < 0xC0) {
            return $this->take($type & 0x1F);
        }
        if ($type >= 0xE0) {
            return $type - 0x100;
        }

        return match ($type) {
            0xC0 => null,
            0xC2 => false,
            0xC3 => true,
            0xC4, 0xD9 => $this->take($this->uint8()),
            0xC5, 0xDA => $this->take($this->uint16()),
            0xC6, 0xDB => $this->take($this->uint32()),
            0xC7 => $this->extension($this->uint8()),
            0xC8 => $this->extension($this->uint16()),
            0xC9 => $this->extension($this->uint32()),
            0xCA => $this->number('G', 4),
            0xCB => $this->number('E', 8),
            0xCC => $this->uint8(),
            0xCD => $this->uint16(),
            0xCE => $this->uint32(),
            0xCF => $this->uint64(),
            0xD0 => ($this->uint8() ^ 0x80) - 0x80,
            0xD1 => ($this->uint16() ^ 0x8000) - 0x8000,
            0xD2 => ($this->uint32() ^ 0x80000000) - 0x80000000,
            0xD3 => $this->number('J', 8),
            0xD4, 0xD5, 0xD6, 0xD7, 0xD8 => $this->extension(1 << ($type - 0xD4)),
            0xDC => $this->list($this->uint16(), $depth),
            0xDD => $this->list($this->uint32(), $depth),
            0xDE => $this->map($this->uint16(), $depth),
            0xDF => $this->map($this->uint32(), $depth),
            default => throw new DecodeFailed('is malformed: the byte 0xc1 is not MessagePack.'),
        };
    }

    /**
     * @return list<mixed>
     */
    private function list(int $count, int $depth): array
    {
        $this->enter($count, $depth);
        if ($this->isTight) {
            $this->grow($count, Values::LIST_SIZE);
        }
        $values = [];

        try {
            for ($i = 0; $i < $count; $i++) {
                $type = ord($this->body[$this->offset] ?? throw $this->truncated());
                if ($type < 0x80) {
                    $this->offset++;
                    $values[] = $type;
                } else {
                    $values[] = $this->value($depth + 1);
                }
            }
        } catch (DecodeFailed $failure) {
            throw $failure->within(count($values));
        }
        if ($this->isTight) {
            $this->grown($count);
        }

        return $values;
    }

    /**
     * @return array<mixed>
     */
    private function map(int $count, int $depth): array
    {
        $this->enter(2 * $count, $depth);
        if ($this->isTight) {
            $this->grow(2 * $count, Values::MAP_SIZE);
        }
        $values = [];
        $key = null;

        try {
            for ($i = 0; $i < $count; $i++) {
                $key = null;
                $key = $this->key($depth);
                $values[$key] = $this->value($depth + 1);
            }
        } catch (DecodeFailed $failure) {
            throw $key === null ? $failure : $failure->within($key);
        }
        if ($this->isTight) {
            $this->grown(2 * $count);
        }

        return $values;
    }

    private function key(int $depth): int|string
    {
        $key = $this->value($depth + 1);

        return match (true) {
            is_string($key), is_int($key) => $key,
            $key === null => '',
            is_bool($key) => (int) $key,
            // An integer key would lose the fraction.
            is_float($key) => (string) $key,
            $key instanceof Time => $key->jsonSerialize(),
            default => throw new DecodeFailed(
                'is a map with a key of type ' . get_debug_type($key) . ", which a PHP array can't have.",
            ),
        };
    }

    private function enter(int $elements, int $depth): void
    {
        if ($depth >= Values::MAX_DEPTH) {
            throw new DecodeFailed('is nested more than ' . Values::MAX_DEPTH . ' deep.');
        }
        // Each takes a byte at least.
        if ($elements > $this->length - $this->offset) {
            throw $this->truncated();
        }
        $this->elements += $elements;
        if ($this->elements > Values::MAX_ELEMENTS) {
            throw new DecodeFailed('has more than ' . Values::MAX_ELEMENTS . ' elements: let Python return them in several results, or as bytes.');
        }
    }

    /**
     * @param int $size bytes of a container of few elements
     */
    private function grow(int $elements, int $size): void
    {
        $this->allocate($size + ($elements < self::MANY ? Values::ELEMENT_SIZE * $elements : 0));
        if ($elements >= self::MANY) {
            $this->growing += Values::ELEMENT_SIZE * $elements;
            $this->check();
        }
    }

    private function grown(int $elements): void
    {
        if ($elements >= self::MANY) {
            $this->growing -= Values::ELEMENT_SIZE * $elements;
        }
    }

    private function allocate(int $bytes): void
    {
        $this->unchecked += $bytes;
        if ($this->unchecked >= self::CHECK) {
            $this->check();
        }
    }

    private function check(): void
    {
        if (! Memory::leaves($this->unchecked + $this->growing)) {
            throw Values::tooMuch();
        }
        $this->unchecked = 0;
    }

    private function extension(int $length): NdArray|Time
    {
        $type = $this->uint8();
        if ($type === ArrayExtension::TYPE && $length <= $this->length - $this->offset) {
            if ($this->isTight) {
                $this->allocate($length + Values::STRING_SIZE);
            }
            $this->offset += $length;

            return ArrayExtension::decode($this->body, $this->offset - $length, $this->offset);
        }
        $data = $this->take($length);
        if ($type !== self::TIMESTAMP) {
            $type = ($type ^ 0x80) - 0x80;

            throw new DecodeFailed("is of the MessagePack extension type {$type}; only timestamps, type -1, and arrays, type 1, are known.");
        }
        $fields = match ($length) {
            4 => unpack('Nseconds', $data),
            8 => unpack('Jboth', $data),
            12 => unpack('Nnanoseconds/Jseconds', $data),
            default => throw new DecodeFailed("is a timestamp of {$length} bytes; 4, 8 or 12 are possible."),
        };
        /** @var array<int> $fields */
        $seconds = $fields['seconds'] ?? $fields['both'] & (1 << 34) - 1;
        $nanoseconds = $fields['nanoseconds'] ?? (($fields['both'] ?? 0) >> 34 & (1 << 30) - 1);
        if ($nanoseconds > 999_999_999) {
            throw new DecodeFailed("is a timestamp with {$nanoseconds} nanoseconds, more than a second has.");
        }

        return (new Time('@' . $seconds))
            ->setTimezone(new DateTimeZone('UTC'))
            ->modify('+' . intdiv($nanoseconds, 1000) . ' usec');
    }

    private function take(int $length): string
    {
        $offset = $this->offset;
        if ($length > $this->length - $offset) {
            throw $this->truncated();
        }
        $this->offset = $offset + $length;
        if ($this->isTight) {
            $this->allocate($length + Values::STRING_SIZE);
        }

        return substr($this->body, $offset, $length);
    }

    private function uint8(): int
    {
        return ord($this->body[$this->offset++] ?? throw $this->truncated());
    }

    private function uint16(): int
    {
        $offset = $this->offset;
        if ($this->length - $offset < 2) {
            throw $this->truncated();
        }
        $this->offset = $offset + 2;

        return ord($this->body[$offset]) << 8 | ord($this->body[$offset + 1]);
    }

    private function uint32(): int
    {
        return (int) $this->number('N', 4);
    }

    private function uint64(): int
    {
        $value = (int) $this->number('J', 8);
        if ($value < 0) {
            throw new DecodeFailed(sprintf(self::UINT64, $value));
        }

        return $value;
    }

    /**
     * @param string $format of unpack(), for one number of $length bytes
     */
    private function number(string $format, int $length): float|int
    {
        $offset = $this->offset;
        if ($length > $this->length - $offset) {
            throw $this->truncated();
        }
        $this->offset = $offset + $length;
        /** @var array{1: float|int} $number */
        $number = unpack($format, $this->body, $offset);

        return $number[1];
    }

    private function truncated(): DecodeFailed
    {
        return new DecodeFailed('is malformed: the body ends within it.');
    }
}
