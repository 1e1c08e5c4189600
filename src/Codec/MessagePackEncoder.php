<?php

declare(strict_types=1);

namespace Reasno\GoTask\Codec;

use DateTimeInterface;
use JsonSerializable;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\NdArray;
use stdClass;

use function array_is_list;
use function chr;
use function count;
use function is_array;
use function is_bool;
use function is_float;
use function is_int;
use function is_object;
use function is_string;
use function pack;
use function strlen;

/**
 * MessagePack, complete for what docs/protocol.md lists, in PHP.
 *
 * @internal
 */
final class MessagePackEncoder
{
    /** Bytes: a string of this size is appended in place, without another copy of it. */
    private const LARGE = 65_536;

    /**
     * @param null|MessagePackExtension $extension packs the arrays that hold nothing but plain data
     */
    public function __construct(private readonly ?MessagePackExtension $extension = null)
    {
    }

    /**
     * @param int $depth arrays that the value stands in
     * @throws EncodeFailed
     */
    public function encode(mixed $value, int $depth = 0): string
    {
        if (is_array($value)) {
            return $this->array($value, $depth);
        }
        if (is_string($value)) {
            return self::string($value);
        }

        return match (true) {
            is_int($value) => self::int($value),
            $value === null => "\xc0",
            is_bool($value) => $value ? "\xc3" : "\xc2",
            is_float($value) => pack('CE', 0xCB, $value),
            is_object($value) => $this->object($value, $depth),
            default => throw new EncodeFailed(Values::refusal($value)),
        };
    }

    /**
     * @param array<mixed> $values
     * @param bool $isObject whether it must be a map even when its keys are those of a list
     */
    private function array(array $values, int $depth, bool $isObject = false): string
    {
        if ($depth >= Values::MAX_DEPTH) {
            throw Values::tooDeep();
        }
        if ($isObject && array_is_list($values)) {
            return $this->map($values, $depth);
        }
        if ($this->extension !== null && Values::arePlain($values, $depth + 1)) {
            return $this->extension->pack($values);
        }

        return array_is_list($values) ? $this->list($values, $depth) : $this->map($values, $depth);
    }

    /**
     * @param list<mixed> $values
     */
    private function list(array $values, int $depth): string
    {
        $count = count($values);
        $packed = match (true) {
            $count < 16 => chr(0x90 | $count),
            $count < 0x10000 => pack('Cn', 0xDC, $count),
            default => pack('CN', 0xDD, $count),
        };
        $key = 0;

        try {
            foreach ($values as $key => $value) {
                if (is_int($value)) {
                    $packed .= self::int($value);
                } elseif (is_string($value) && strlen($value) >= self::LARGE) {
                    self::append($packed, $value, false);
                } elseif (is_string($value)) {
                    $packed .= self::string($value);
                } elseif (! is_object($value) || ! self::appendObject($packed, $value)) {
                    $packed .= $this->encode($value, $depth + 1);
                }
            }
        } catch (EncodeFailed $failure) {
            throw $failure->within($key);
        }

        return $packed;
    }

    /**
     * @param array<mixed> $values
     * @param bool $asText whether integers among the keys are sent as text
     */
    private function map(array $values, int $depth, bool $asText = false): string
    {
        $count = count($values);
        $packed = match (true) {
            $count < 16 => chr(0x80 | $count),
            $count < 0x10000 => pack('Cn', 0xDE, $count),
            default => pack('CN', 0xDF, $count),
        };
        $key = '';

        try {
            foreach ($values as $key => $value) {
                $packed .= $asText || is_string($key) ? self::string((string) $key) : self::int($key);
                if (is_string($value) && strlen($value) >= self::LARGE) {
                    self::append($packed, $value, false);
                } elseif (is_string($value)) {
                    $packed .= self::string($value);
                } elseif (! is_object($value) || ! self::appendObject($packed, $value)) {
                    $packed .= $this->encode($value, $depth + 1);
                }
            }
        } catch (EncodeFailed $failure) {
            throw $failure->within($key);
        }

        return $packed;
    }

    private function object(object $object, int $depth): string
    {
        return match (true) {
            $object instanceof Bytes => self::bytes($object->bytes),
            $object instanceof DateTimeInterface => self::timestamp($object),
            $object instanceof NdArray => ArrayExtension::head($object) . $object->bytes(),
            $object instanceof TextKeys => $depth < Values::MAX_DEPTH ? $this->map($object->values, $depth, true) : throw Values::tooDeep(),
            $object instanceof JsonSerializable => $this->standIn(Values::standIn($object), $depth),
            $object instanceof stdClass => $this->array(Values::properties($object), $depth, true),
            default => $this->standIn(Values::standIn($object), $depth),
        };
    }

    private function standIn(mixed $value, int $depth): string
    {
        if (! is_object($value)) {
            return $this->encode($value, $depth);
        }
        // An object may name itself as its stand-in: each step counts as a level.
        return $depth < Values::MAX_DEPTH ? $this->object($value, $depth + 1) : throw Values::tooDeep();
    }

    /**
     * The head of a string, or of binary data, of at least 64 KiB.
     *
     * @throws EncodeFailed
     */
    public static function largeHead(int $length, bool $isBinary): string
    {
        if ($length >= 1 << 32) {
            throw new EncodeFailed("is a string of {$length} bytes, MessagePack holds 2³²−1.");
        }

        return pack('CN', $isBinary ? 0xC6 : 0xDB, $length);
    }

    private static function string(string $value): string
    {
        $length = strlen($value);
        if ($length < 32) {
            return chr(0xA0 | $length) . $value;
        }

        return match (true) {
            $length < 0x100 => "\xd9" . chr($length),
            $length < 0x10000 => pack('Cn', 0xDA, $length),
            default => self::largeHead($length, false),
        } . $value;
    }

    private static function append(string &$packed, string $value, bool $isBinary): void
    {
        $packed .= self::largeHead(strlen($value), $isBinary);
        $packed .= $value;
    }

    /**
     * @return bool whether it is one that is appended in place, too
     */
    private static function appendObject(string &$packed, object $object): bool
    {
        if ($object instanceof Bytes && strlen($object->bytes) >= self::LARGE) {
            self::append($packed, $object->bytes, true);
        } elseif ($object instanceof NdArray) {
            $packed .= ArrayExtension::head($object);
            $packed .= $object->bytes();
        } else {
            return false;
        }

        return true;
    }

    private static function bytes(string $value): string
    {
        $length = strlen($value);

        return match (true) {
            $length < 0x100 => "\xc4" . chr($length),
            $length < 0x10000 => pack('Cn', 0xC5, $length),
            default => self::largeHead($length, true),
        } . $value;
    }

    private static function int(int $value): string
    {
        if ($value >= 0) {
            if ($value < 0x80) {
                return chr($value);
            }

            return match (true) {
                $value < 0x100 => "\xcc" . chr($value),
                $value < 0x10000 => pack('Cn', 0xCD, $value),
                $value < 0x100000000 => pack('CN', 0xCE, $value),
                default => pack('CJ', 0xCF, $value),
            };
        }

        return match (true) {
            $value >= -0x20 => chr($value & 0xFF),
            $value >= -0x80 => "\xd0" . chr($value & 0xFF),
            $value >= -0x8000 => pack('Cn', 0xD1, $value & 0xFFFF),
            $value >= -0x80000000 => pack('CN', 0xD2, $value & 0xFFFFFFFF),
            default => pack('CJ', 0xD3, $value),
        };
    }

    /**
     * The timestamp extension, in the shortest of its three forms that holds the value.
     */
    private static function timestamp(DateTimeInterface $time): string
    {
        $seconds = Values::seconds($time);
        $nanoseconds = 1000 * (int) $time->format('u');
        if ($seconds < 0 || $seconds >= 1 << 34) {
            return pack('CCCNJ', 0xC7, 12, 0xFF, $nanoseconds, $seconds);
        }
        if ($nanoseconds === 0 && $seconds < 1 << 32) {
            return pack('CCN', 0xD6, 0xFF, $seconds);
        }

        return pack('CCJ', 0xD7, 0xFF, $nanoseconds << 34 | $seconds);
    }
}
