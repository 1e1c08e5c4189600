<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use ArrayAccess;
use Countable;
use Generator;
use IteratorAggregate;
use JsonSerializable;
use LogicException;
use OutOfBoundsException;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Platform\Memory;
use ValueError;

use function array_chunk;
use function array_fill;
use function array_is_list;
use function array_map;
use function array_merge;
use function array_product;
use function array_push;
use function array_slice;
use function array_values;
use function boolval;
use function count;
use function get_debug_type;
use function implode;
use function ini_get;
use function intdiv;
use function is_array;
use function is_bool;
use function is_float;
use function is_int;
use function max;
use function min;
use function pack;
use function strlen;
use function substr;
use function unpack;

/**
 * An array of numbers or booleans in one or more dimensions: numpy's in Python, and as such it is sent. It can't be changed.
 *
 *     $matrix = NdArray::fromList([[1.5, 2], [3, 4]], 'float64');
 *     $scaled = $task->call('Image.Scale', $matrix);   // an NdArray again
 *     $scaled[0][1];                                   // an element; $scaled[0] is a row
 *     foreach ($scaled->slice(10, 5) as $row) …        // of numbers where there is one dimension, else of arrays
 *
 * It holds the bytes of its elements, and decodes those that are asked for. A part shares them with the whole.
 *
 * @implements ArrayAccess<int, mixed>
 * @implements IteratorAggregate<int, mixed>
 */
final class NdArray implements ArrayAccess, Countable, IteratorAggregate, JsonSerializable
{
    /** Bytes of an element, by the name of its type, which is numpy's. */
    public const SIZES = [
        'bool' => 1, 'int8' => 1, 'int16' => 2, 'int32' => 4, 'int64' => 8,
        'uint8' => 1, 'uint16' => 2, 'uint32' => 4, 'uint64' => 8, 'float32' => 4, 'float64' => 8,
    ];

    /** As numpy has it. */
    public const MAX_DIMENSIONS = 32;

    /** How pack() and unpack() write the elements: little-endian. */
    private const FORMATS = [
        'bool' => 'C', 'int8' => 'c', 'int16' => 'v', 'int32' => 'V', 'int64' => 'P',
        'uint8' => 'C', 'uint16' => 'v', 'uint32' => 'V', 'uint64' => 'P', 'float32' => 'g', 'float64' => 'e',
    ];

    /** The bit of the sign, where unpack() knows none. */
    private const SIGNS = ['int16' => 0x8000, 'int32' => 0x80000000];

    /** Elements that are packed or unpacked at a time. */
    private const CHUNK = 4096;

    /** Bytes that a list takes, at most, beside 64 for each element of the whole array. */
    private const LIST = 320;

    /**
     * @param string $dtype one of `bool`, `int8` … `int64`, `uint8` … `uint64`, `float32` and `float64`
     * @param list<int> $shape the length of each dimension
     * @param string $bytes hold the elements, from $offset on
     */
    private function __construct(
        public readonly string $dtype,
        public readonly array $shape,
        private readonly string $bytes,
        private readonly int $offset = 0,
    ) {
    }

    /**
     * @param array<mixed> $values a list of numbers, or of lists of the same length, and so on
     * @param string $dtype one of `bool`, `int8` … `int64`, `uint8` … `uint64`, `float32` and `float64`
     * @throws ValueError when an element does not fit the type, or the lists have different lengths
     */
    public static function fromList(array $values, string $dtype): self
    {
        $shape = [];
        for ($level = $values; is_array($level); $level = $level[0] ?? null) {
            $shape[] = count($level);
        }
        $flat = [$values];
        foreach ($shape as $length) {
            foreach ($flat as $row) {
                if (! is_array($row) || count($row) !== $length || ! array_is_list($row)) {
                    throw new ValueError('An array is made of lists of the same length within a list.');
                }
            }
            /** @var list<mixed> $flat */
            $flat = array_merge(...$flat);
        }
        self::check($dtype, $shape);
        $bytes = '';
        foreach (array_chunk($flat, self::CHUNK) as $chunk) {
            foreach ($chunk as $value) {
                if (! self::fits($value, $dtype)) {
                    throw new ValueError("An array of {$dtype} can't hold " . (is_int($value) ? $value : 'a value of type ' . get_debug_type($value)) . '.');
                }
            }
            $bytes .= pack(self::FORMATS[$dtype] . '*', ...$chunk);
        }

        return new self($dtype, $shape, $bytes);
    }

    /**
     * @param string $bytes the elements, row by row, little-endian
     * @param string $dtype one of `bool`, `int8` … `int64`, `uint8` … `uint64`, `float32` and `float64`
     * @param list<int> $shape the length of each dimension; [] of one, as many elements as there are
     * @throws ValueError when these do not fit each other
     */
    public static function fromBytes(string $bytes, string $dtype, array $shape = []): self
    {
        $shape = $shape === [] ? [intdiv(strlen($bytes), self::SIZES[$dtype] ?? 1)] : $shape;
        $size = self::check($dtype, $shape);
        if ($size !== strlen($bytes)) {
            throw new ValueError("An array of {$dtype} and the shape [" . implode(', ', $shape) . "] has {$size} bytes, not " . strlen($bytes) . '.');
        }

        return new self($dtype, $shape, $bytes);
    }

    /**
     * @internal
     * @param string $body holds the elements from $offset to $end
     * @param list<int> $shape
     * @throws ValueError
     */
    public static function within(string $body, int $offset, int $end, string $dtype, array $shape): self
    {
        if (self::check($dtype, $shape) !== $end - $offset) {
            throw new ValueError("An array of {$dtype} and the shape [" . implode(', ', $shape) . '] has ' . ($end - $offset) . ' bytes.');
        }

        return new self($dtype, $shape, $body, $offset);
    }

    /**
     * The elements, row by row, little-endian.
     */
    public function bytes(): string
    {
        return substr($this->bytes, $this->offset, $this->size());
    }

    /**
     * How many bytes they are.
     */
    public function size(): int
    {
        return self::SIZES[$this->dtype] * (int) array_product($this->shape);
    }

    /**
     * How many rows it has, which are its elements if it has one dimension.
     */
    public function count(): int
    {
        return max(0, $this->shape[0]);
    }

    /**
     * Some of its rows, without copying them.
     *
     * @param int $from 0 … count()
     * @param null|int $length so many at most; null: up to the last one
     * @throws OutOfBoundsException
     */
    public function slice(int $from, ?int $length = null): self
    {
        if ($from < 0 || $from > $this->shape[0] || $length < 0) {
            throw new OutOfBoundsException("There are {$this->shape[0]} rows: none at {$from}" . ($length < 0 ? ", nor {$length} of them." : '.'));
        }
        $count = min($length ?? $this->shape[0], $this->shape[0] - $from);

        return new self($this->dtype, [$count, ...array_slice($this->shape, 1)], $this->bytes, $this->offset + $from * $this->rowSize());
    }

    /**
     * All elements as numbers or booleans, in a list within a list for each dimension.
     *
     * @return list<mixed>
     * @throws DecodeFailed when there is no memory for them, or PHP has no integer for one
     */
    public function toArray(): array
    {
        $elements = $lists = 1;
        foreach ($this->shape as $length) {
            $lists += $elements;
            $elements *= $length;
        }
        if (! Memory::leaves((int) min(64 * $elements + self::LIST * $lists, PHP_INT_MAX / 2))) {
            throw new DecodeFailed("has {$elements} elements, more than PHP's memory_limit of " . ini_get('memory_limit') . ' leaves room for as a list: take slices of it.');
        }
        $values = [];
        for ($element = 0; $element < $elements; $element += self::CHUNK) {
            array_push($values, ...$this->elements($element, min(self::CHUNK, $elements - $element)));
        }
        for ($dimension = count($this->shape) - 1; $dimension > 0; $dimension--) {
            $length = $this->shape[$dimension];
            $values = $length > 0 ? array_chunk($values, $length) : array_fill(0, (int) array_product(array_slice($this->shape, 0, $dimension)), []);
        }

        return $values;
    }

    /**
     * @return list<mixed>
     */
    public function jsonSerialize(): array
    {
        return $this->toArray();
    }

    /**
     * @return Generator<int, mixed> its rows, which are numbers or booleans if it has one dimension
     */
    public function getIterator(): Generator
    {
        for ($row = 0; $row < $this->shape[0]; $row++) {
            if (count($this->shape) > 1) {
                yield $row => $this[$row];
                continue;
            }
            foreach ($this->elements($row, min(self::CHUNK, $this->shape[0] - $row)) as $value) {
                yield $row++ => $value;
            }
            $row--;
        }
    }

    public function offsetExists(mixed $offset): bool
    {
        return $offset >= 0 && $offset < $this->shape[0];
    }

    /**
     * @return mixed a number or boolean if it has one dimension, else a row
     * @throws OutOfBoundsException
     */
    public function offsetGet(mixed $offset): mixed
    {
        if (! isset($this[$offset])) {
            throw new OutOfBoundsException("There are {$this->shape[0]} rows, none at {$offset}.");
        }
        if (count($this->shape) === 1) {
            return $this->elements($offset, 1)[0];
        }

        return new self($this->dtype, array_slice($this->shape, 1), $this->bytes, $this->offset + $offset * $this->rowSize());
    }

    public function offsetSet(mixed $offset, mixed $value): never
    {
        throw new LogicException("An array can't be changed: make another one, by fromList() or in Python.");
    }

    public function offsetUnset(mixed $offset): never
    {
        $this->offsetSet($offset, null);
    }

    private function rowSize(): int
    {
        return self::SIZES[$this->dtype] * (int) array_product(array_slice($this->shape, 1));
    }

    /**
     * @return list<mixed>
     */
    private function elements(int $from, int $count): array
    {
        $size = self::SIZES[$this->dtype];
        $format = self::FORMATS[$this->dtype] . $count;
        /** @var non-empty-list<bool|float|int> $values */
        $values = array_values((array) unpack($format, substr($this->bytes, $this->offset + $from * $size, $count * $size)));
        if ($this->dtype === 'bool') {
            return array_map(boolval(...), $values);
        }
        $sign = self::SIGNS[$this->dtype] ?? 0;
        if ($sign !== 0) {
            return array_map(static fn (mixed $value): mixed => is_int($value) ? ($value ^ $sign) - $sign : $value, $values);
        }
        if ($this->dtype === 'uint64' && min($values) < 0) {
            throw new DecodeFailed('holds an integer above PHP_INT_MAX: let Python send it as float64 or text.');
        }

        return $values;
    }

    private static function fits(mixed $value, string $dtype): bool
    {
        $bits = 8 * self::SIZES[$dtype];

        return match (true) {
            $dtype === 'bool' => is_bool($value),
            is_float($value) => $dtype[0] === 'f',
            ! is_int($value) => false,
            $dtype[0] === 'u' => $bits === 64 ? $value >= 0 : $value >> $bits === 0,
            $dtype[0] === 'i' => $bits === 64 || $value >> $bits - 1 === $value >> 63,
            default => true,
        };
    }

    /**
     * @param list<int> $shape
     * @return int bytes of the elements
     */
    private static function check(string $dtype, array $shape): int
    {
        if (! isset(self::SIZES[$dtype])) {
            throw new ValueError("An array has elements of the type {$dtype}, not of one of " . implode(', ', array_keys(self::SIZES)) . '.');
        }
        if ($shape === [] || count($shape) > self::MAX_DIMENSIONS || min($shape) < 0) {
            throw new ValueError('An array has 1 to ' . self::MAX_DIMENSIONS . ' dimensions, none below 0; not [' . implode(', ', $shape) . '].');
        }
        $size = self::SIZES[$dtype] * array_product($shape);

        return is_int($size) ? $size : throw new ValueError('An array has no more than 2⁶³−1 bytes; not the shape [' . implode(', ', $shape) . '].');
    }
}
