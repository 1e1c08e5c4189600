<?php

declare(strict_types=1);

namespace Reasno\GoTask\Goridge;

use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\PayloadTooLarge;

use function chr;
use function count;
use function crc32;
use function max;
use function min;
use function ord;
use function pack;
use function strlen;
use function substr;

/**
 * A Goridge v3 frame: a header with its own checksum, up to ten options, a payload. docs/protocol.md shows the bytes.
 *
 * @internal
 */
final class Frame
{
    public const VERSION = 1;

    /** Bytes of a header without options. */
    public const HEADER = 12;
    public const MAX_OPTIONS = 10;

    /** Bytes of a method's name. */
    public const MAX_METHOD = 255;
    public const MAX_UINT32 = 0xFFFFFFFF;

    /** Payloads up to this many bytes have their header remembered. */
    private const SMALL = 1023;
    private const REMEMBERED = 512;

    /**
     * Headers without their options, by flags, number of options and length: most frames of a program are alike, and
     * this halves the cost of encoding one.
     *
     * @var array<int, string>
     */
    private static array $headers = [];

    /**
     * @param int $flags see Flag
     * @param list<int> $options each 0 … 2³²−1, at most ten
     * @param int $stream see Stream
     * @param int $cut bytes of the payload's start that have been left out, see FrameDecoder
     * @param string $stringHead what has been left out behind those, where the body is a MessagePack string: its type and length
     */
    public function __construct(
        public readonly int $flags,
        public readonly array $options,
        public readonly string $payload,
        public readonly int $stream = 0,
        public readonly int $cut = 0,
        public readonly string $stringHead = '',
    ) {
    }

    /**
     * @param int $flags see Flag
     * @param list<int> $options each 0 … 2³²−1, at most ten
     * @param int $stream see Stream
     * @throws PayloadTooLarge above 2³²−1 bytes, which is all that the header can say
     */
    public static function encode(int $flags, array $options, string $payload, int $stream = 0): string
    {
        return self::header($flags, count($options), strlen($payload), $stream)
            . pack('V*', ...$options)
            . $payload;
    }

    /**
     * A call. The third and fourth option are sent only when one of them is given: a peer that is not known to speak our
     * protocol must get neither.
     *
     * @param int $sequence 1 … 2³¹−1, unique among the outstanding calls of the connection
     * @param string $method 1 … 255 bytes
     * @param int $codecFlag that of the codec which encoded the body
     * @param null|int $remainingMs milliseconds that the caller will wait, at least 1; null: no deadline
     * @param int $callFlags see CallFlag
     * @throws InvalidRequest when the method's name is empty or too long
     * @throws PayloadTooLarge above 2³²−1 bytes
     */
    public static function call(
        int $sequence,
        string $method,
        int $codecFlag,
        string $body,
        ?int $remainingMs = null,
        int $callFlags = 0,
    ): string {
        $name = strlen($method);
        if ($name === 0 || $name > self::MAX_METHOD) {
            throw new InvalidRequest(
                "A method's name has 1 to " . self::MAX_METHOD . " bytes, this one {$name}.",
                $method,
            );
        }
        $length = $name + strlen($body);
        if ($remainingMs === null && $callFlags === 0) {
            return (self::$headers[$length << 16 | 2 << 8 | $codecFlag] ?? self::header($codecFlag, 2, $length, 0))
                . pack('V2', $sequence, $name) . $method . $body;
        }
        // 0 on the wire means no deadline: a deadline that is almost over must not become 0.
        $remaining = $remainingMs === null ? 0 : ($remainingMs < 1 ? 1 : min($remainingMs, self::MAX_UINT32));

        return (self::$headers[$length << 16 | 4 << 8 | $codecFlag] ?? self::header($codecFlag, 4, $length, 0))
            . pack('V4', $sequence, $name, $remaining, $callFlags) . $method . $body;
    }

    /**
     * A call with headers, or a key, or both: its fifth and sixth option. Other arguments as for call().
     *
     * @param string $headers JSON; '' for none
     * @param int $key 0: none
     */
    public static function callWith(
        string $headers,
        int $key,
        int $sequence,
        string $method,
        int $codecFlag,
        string $body,
        ?int $remainingMs,
        int $callFlags,
    ): string {
        $size = strlen($headers);
        $name = strlen($method);
        $remaining = $remainingMs === null ? 0 : max(1, min($remainingMs, self::MAX_UINT32));

        return self::header($codecFlag, 6, $name + $size + strlen($body), 0)
            . pack('V6', $sequence, $name, $remaining, $callFlags & 0xFF, $size, $key) . $method . $headers . $body;
    }

    /**
     * A call without its body, which is to follow: what a large body need not be copied for. Arguments as for call().
     *
     * @param int $length bytes of the body
     * @throws PayloadTooLarge above 2³²−1 bytes
     */
    public static function callHead(
        int $sequence,
        string $method,
        int $codecFlag,
        int $length,
        ?int $remainingMs = null,
        int $callFlags = 0,
        string $headers = '',
        int $key = 0,
    ): string {
        $head = $headers === '' && $key === 0
            ? self::call($sequence, $method, $codecFlag, '', $remainingMs, $callFlags)
            : self::callWith($headers, $key, $sequence, $method, $codecFlag, '', $remainingMs, $callFlags);
        $options = (ord($head[0]) & 0x0F) - 3;

        return self::header($codecFlag, $options, strlen($method) + strlen($headers) + $length, 0) . substr($head, self::HEADER);
    }

    private static function header(int $flags, int $options, int $length, int $stream): string
    {
        if ($length > self::SMALL || $stream !== 0) {
            return self::packHeader($flags, $options, $length, $stream);
        }
        $key = $length << 16 | $options << 8 | $flags;
        if (isset(self::$headers[$key])) {
            return self::$headers[$key];
        }
        if (count(self::$headers) >= self::REMEMBERED) {
            self::$headers = [];
        }

        return self::$headers[$key] = self::packHeader($flags, $options, $length, 0);
    }

    private static function packHeader(int $flags, int $options, int $length, int $stream): string
    {
        if ($length > self::MAX_UINT32) {
            throw new PayloadTooLarge("A frame holds at most 4 GiB, the payload has {$length} bytes.");
        }
        $start = pack('CCV', self::VERSION << 4 | 3 + $options, $flags, $length);

        return $start . pack('V', crc32($start)) . chr($stream) . "\0";
    }
}
