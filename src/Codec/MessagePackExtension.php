<?php

declare(strict_types=1);

namespace Reasno\GoTask\Codec;

use Closure;
use MessagePack;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Platform\Memory;
use stdClass;

use function array_map;
use function class_exists;
use function count_chars;
use function function_exists;
use function implode;
use function ini_set;
use function is_array;
use function ord;
use function preg_match;
use function range;
use function restore_error_handler;
use function set_error_handler;
use function sprintf;
use function strlen;
use function unpack;

use const PREG_OFFSET_CAPTURE;

/**
 * ext-msgpack, for what it does right.
 *
 * Version 2.2.0RC2 decodes extension types to null and integers above PHP_INT_MAX to strings without a word, reserves
 * memory for elements that a body only declares, and reports what is malformed by warnings. So a body is walked first,
 * token by token, which a regular expression does in a fraction of the time that decoding takes; and a body with which
 * anything is unusual is left to MessagePackDecoder, for its result or its error.
 *
 * @internal
 */
final class MessagePackExtension
{
    /** Small containers of a large body, each of which takes two bytes there and two hundred here. */
    private const MAX_CONTAINERS = 1024 * 1024;

    /** Bodies of fewer bytes have fewer tokens than PCRE allows steps, 1 000 000 if php.ini is not changed. */
    private const LARGE = 256 * 1024;

    private static ?bool $usable = null;

    /** Matches a body of short tokens only. One large container at its start is no danger; more of them could add up. */
    private static ?string $short = null;

    /** Matches as far as the tokens are short, or strings with a length of 8 bits. */
    private static ?string $stretch = null;

    /** unpack() returns this for a body that MessagePackDecoder is to decode. */
    public readonly stdClass $refused;

    private readonly MessagePack $packer;

    private readonly Closure $onWarning;

    /** Whether the extension warned of what it was unpacking. */
    private bool $warned = false;

    public function __construct()
    {
        // Without the argument it instantiates the classes that a body names.
        $this->packer = new MessagePack(false);
        $this->refused = new stdClass();
        $this->onWarning = fn (): bool => $this->warned = true;
    }

    /**
     * Whether it is loaded, and this version of it under this php.ini does what is needed.
     */
    public static function isUsable(): bool
    {
        return self::$usable ??= class_exists(MessagePack::class, false) && (new self())->works();
    }

    /**
     * @param array<mixed> $values plain, as Values::arePlain() says
     */
    public function pack(array $values): string
    {
        /** @var string the extension declares no types */
        return $this->packer->pack($values);
    }

    /**
     * @param string $body begins with an array or a map
     * @return mixed the value, or $this->refused
     */
    public function unpack(string $body): mixed
    {
        $isShort = strlen($body) < self::LARGE && preg_match(self::$short ??= self::short(), $body) === 1;
        $tokens = $isShort ? strlen($body) : $this->tokens($body);
        if ($tokens < 0 || $tokens > self::MAX_CONTAINERS && self::mayHoldTooMuch($body)) {
            return $this->refused;
        }
        if (strlen($body) >= Values::SMALL && ! Memory::leaves(Values::LIST_SIZE * strlen($body)) && ! Memory::leaves(self::size($body, $tokens))) {
            return $this->refused;
        }
        $this->warned = false;
        set_error_handler($this->onWarning);

        try {
            $value = $this->packer->unpack($body); // @phpstan-ignore arguments.count (its second one is optional)
        } finally {
            // Also where a signal's handler throws.
            restore_error_handler();
        }
        if ($this->warned) { // @phpstan-ignore if.alwaysFalse (onWarning() sets it)
            return $this->refused;
        }
        // Every level takes a byte at least.
        if (! is_array($value) || strlen($body) > Values::MAX_DEPTH && ! Values::areShallow($value)) {
            return $this->refused;
        }

        return $value;
    }

    /**
     * Takes a body apart that is large or has longer tokens.
     *
     * @return int no fewer than its tokens; −1: it has something unusual
     */
    private function tokens(string $body): int
    {
        if (strlen($body) < self::LARGE) {
            return $this->walk($body);
        }
        // Each token counts as a step back, though the expressions take none. Some hosts disable ini_set().
        $limit = function_exists('ini_set') ? ini_set('pcre.backtrack_limit', (string) Frame::MAX_UINT32) : false;

        try {
            return $this->walk($body);
        } finally {
            if ($limit !== false) {
                ini_set('pcre.backtrack_limit', $limit);
            }
        }
    }

    /**
     * Goes over the tokens that the expression can't: those with a length of 16 or 32 bits.
     *
     * @return int as of tokens(): the bytes that are not within their strings
     */
    private function walk(string $body): int
    {
        $length = $tokens = strlen($body);
        $declared = 0;
        $offset = 0;
        self::$stretch ??= self::stretch();
        while (preg_match(self::$stretch, $body, $match, PREG_OFFSET_CAPTURE, $offset) === 1) {
            $offset = $match[0][1];
            if ($offset === $length) {
                return $tokens;
            }
            if ($length - $offset < 5) {
                return -1;
            }
            $type = ord($body[$offset]);
            $wide = match ($type) {
                0xC5, 0xDA, 0xDC, 0xDE => false,
                0xC6, 0xDB, 0xDD, 0xDF => true,
                default => null,
            };
            if ($wide === null) {
                return -1;
            }
            /** @var array{1: int} $count */
            $count = unpack($wide ? 'N' : 'n', $body, $offset + 1);
            $offset += $wide ? 5 : 3;
            if ($type < 0xDC) {
                $offset += $count[1];
                $tokens -= $count[1];
            } else {
                $declared += $count[1];
            }
            if ($offset > $length || $declared > $length || $declared > Values::MAX_ELEMENTS) {
                return -1;
            }
        }

        return -1;
    }

    /**
     * Whether there may be more small containers than are decoded here, counting every byte that looks like one: the other decoder
     * counts exactly.
     */
    private static function mayHoldTooMuch(string $body): bool
    {
        $containers = 0;
        foreach (count_chars($body, 1) as $byte => $count) {
            $containers += $byte >= 0x80 && $byte < 0xA0 ? $count : 0;
        }

        return $containers > self::MAX_CONTAINERS;
    }

    /**
     * @return int bytes that arrays and strings take, at most: every byte that looks like one counts, the other decoder looks closer
     */
    private static function size(string $body, int $tokens): int
    {
        $size = strlen($body) + Values::ELEMENT_SIZE * $tokens;
        foreach (count_chars($body, 1) as $byte => $count) {
            $size += $count * match (true) {
                $byte < 0x80 || $byte >= 0xE0 => 0,
                $byte < 0x90 || $byte === 0xDE || $byte === 0xDF => Values::MAP_SIZE,
                $byte < 0xA0 || $byte === 0xDC || $byte === 0xDD => Values::LIST_SIZE,
                default => Values::STRING_SIZE,
            };
        }

        return $size;
    }

    private static function short(): string
    {
        return '/\A(?:[\xdc\xde]..|[\xdd\xdf].{4})?+(?:' . self::shortToken() . ')*+\z/s';
    }

    /**
     * Not used for all bodies: it is four times as long, and PHP compares expressions to find the compiled one.
     */
    private static function stretch(): string
    {
        return '/\G(?:' . self::shortToken() . '|' . self::string8() . ')*+\K/s';
    }

    /**
     * A regular expression for a token with a length of less than 8 bits.
     */
    private static function shortToken(): string
    {
        // small integers, fixed containers, the empty string, nil, booleans
        return '[\x00-\xa0\xc0\xc2\xc3\xe0-\xff]'
            . '|' . self::sized(0xA0, 1, 31)
            // floats and integers; an unsigned one of 64 bits only below 2^63
            . '|[\xcb\xd3].{8}|[\xcc\xd0].|[\xcd\xd1]..|[\xca\xce\xd2].{4}|\xcf[\x00-\x7f].{7}'
            // containers of 16 bits with up to 255 elements
            . '|[\xdc\xde]\x00.';
    }

    /**
     * A regular expression for strings and bytes with a length of 8 bits.
     */
    private static function string8(): string
    {
        $branches = [];
        // In groups of 16: alternatives are tried one after the other.
        foreach (range(0x00, 0xF0, 0x10) as $from) {
            $branches[] = sprintf('(?=[\x%02x-\x%02x])(?:%s)', $from, $from + 15, self::sized(0, $from, $from + 15));
        }

        return '[\xd9\xc4](?:' . implode('|', $branches) . ')';
    }

    /**
     * One byte, which is $base and the length, and as many bytes as it says.
     */
    private static function sized(int $base, int $from, int $to): string
    {
        return implode('|', array_map(
            static fn (int $length): string => sprintf('\x%02x.{%d}', $base + $length, $length),
            range($from, $to),
        ));
    }

    private function works(): bool
    {
        $values = [1.5, 'a', ['k' => null]];
        $body = "\x93\xcb\x3f\xf8\0\0\0\0\0\0\xa1a\x81\xa1k\xc0";

        return $this->pack($values) === $body
            && $this->unpack($body) === $values
            && $this->unpack("\x92\x80\x90") === [[], []]
            && $this->unpack("\x90\x01") === $this->refused
            && $this->unpack("\x92\x01") === $this->refused
            && $this->unpack("\x82\xc0\xa8stdClass\xa1k\x01") === $this->refused;
    }
}
