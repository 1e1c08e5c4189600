<?php

declare(strict_types=1);

namespace Reasno\GoTask\Goridge;

use Closure;
use Reasno\GoTask\Exception\ProtocolError;

use function array_shift;
use function array_values;
use function bin2hex;
use function count;
use function crc32;
use function implode;
use function intdiv;
use function min;
use function ord;
use function pack;
use function strlen;
use function substr;
use function unpack;

/**
 * Frames out of a stream of bytes that arrives in pieces of any size.
 *
 *     $decoder->feed($bytes);
 *     while (($frame = $decoder->next()) !== null) { … }
 *
 * It holds no more than what it was last fed and one frame. Assembling a large payload from its pieces takes
 * twice its length for a moment: that is what `$canHold` has to answer for.
 */
final class FrameDecoder
{
    /** Bytes, unless the constructor is told otherwise: 64 MiB. */
    public const MAX_PAYLOAD = 64 * 1024 * 1024;

    /** Bytes before the contents of a large string in MessagePack: its type and its length. */
    private const STRING_HEAD = 5;

    /** Payloads of fewer bytes are held without asking whether the memory is there. */
    private const LARGE = 64 * 1024;
    private const REMEMBERED = 512;

    /** unpack() formats of a reply's options, by their number: sequence and length of the name in one, and the time that the method took. */
    private const REPLIES = [2 => 'P', 3 => 'P1/Vtime'];

    /** What was fed and is not yet taken; begins at $offset. */
    private string $buffer = '';

    private int $offset = 0;

    /**
     * The frame whose payload is being gathered.
     *
     * @var null|array{int, list<int>, int, int} flags, options, stream, bytes of payload
     */
    private ?array $partial = null;

    /** @var list<string> the pieces of that payload */
    private array $pieces = [];

    private string $lastPiece = '';

    /** Bytes missing of the payload that is being gathered. */
    private int $missing = 0;

    /** The same of all decoders together: what has been promised a place and does not show in the memory that is used. */
    private static int $promised = 0;

    /** Bytes of an oversized payload that are still to be thrown away. */
    private int $skip = 0;

    /**
     * Verified headers up to their options: those of a program's small frames are few, and looking one up costs a
     * fraction of taking it apart.
     *
     * @var array<string, array{int, int, int, int, string}> flags, bytes of header and options, bytes of payload,
     *                                                       stream, how to unpack the options
     */
    private array $headers = [];

    /**
     * Those of them that have two or three options, no control flag and no byte 10, as replies do: whoever looks one up can do without a Frame.
     *
     * @internal
     * @var array<string, array{int, int, string, int}> flags, bytes of payload, how to unpack the options, bytes of header and options
     */
    public array $replies = [];

    /**
     * @param int $maxPayload bytes; a larger payload is skipped and reported as an OversizedFrame
     * @param null|Closure(int): bool $canHold whether a payload of that many bytes can be held; asked, before any of
     *                                         it is kept, only for one of 64 KiB or more
     * @param bool $cuts whether the name of the method, and the head of a body that is one string, may be left out of a large
     *                   payload, as Frame::$cut and Frame::$stringHead tell: whoever wants what follows need not copy it once more
     */
    public function __construct(
        private readonly int $maxPayload = self::MAX_PAYLOAD,
        private readonly ?Closure $canHold = null,
        private readonly bool $cuts = false,
    ) {
    }

    public function __destruct()
    {
        self::$promised -= $this->missing;
    }

    /**
     * Takes over what was read. Then call next() until it returns null.
     */
    public function feed(string $bytes): void
    {
        if ($this->skip > 0) {
            $skipped = min($this->skip, strlen($bytes));
            $this->skip -= $skipped;
            $bytes = substr($bytes, $skipped);
        }
        if ($this->missing > 0) {
            $bytes = $this->gather($bytes);
        }
        if ($this->offset === strlen($this->buffer)) {
            $this->buffer = $bytes;
        } elseif ($this->offset === 0) {
            $this->buffer .= $bytes;
        } else {
            $this->buffer = substr($this->buffer, $this->offset) . $bytes;
        }
        $this->offset = 0;
    }

    /**
     * The next frame, or null when it needs more bytes.
     *
     * @throws ProtocolError when the bytes are not Goridge v3; the decoder must not be used afterwards
     */
    public function next(): null|Frame|OversizedFrame
    {
        if ($this->partial !== null) {
            return $this->missing > 0 ? null : $this->assemble();
        }
        $available = strlen($this->buffer) - $this->offset;
        if ($available < Frame::HEADER) {
            if ($available > 0) {
                $this->checkStart(ord($this->buffer[$this->offset]));
            } else {
                $this->buffer = '';
                $this->offset = 0;
            }

            return null;
        }
        $start = substr($this->buffer, $this->offset, Frame::HEADER);
        [$flags, $header, $length, $stream, $format] = $this->headers[$start] ?? $this->parse($start);
        if ($available < $header) {
            return null;
        }
        /** @var array<int> $options */
        $options = $format === '' ? [] : unpack($format, $this->buffer, $this->offset + Frame::HEADER);
        $options = array_values($options);
        $this->offset += $header;
        $available -= $header;
        if ($length > $this->maxPayload || $length >= self::LARGE && ! $this->canHold($length)) {
            $this->skip($length, $available);

            return new OversizedFrame($flags, $options, $length, $stream);
        }
        if ($available < $length) {
            $this->partial = [$flags, $options, $stream, $length];
            $this->missing = $length;
            self::$promised += $length;
            $this->gather(substr($this->buffer, $this->offset));
            $this->buffer = '';
            $this->offset = 0;

            return null;
        }
        $payload = substr($this->buffer, $this->offset, $length);
        $this->offset += $length;

        return new Frame($flags, $options, $payload, $stream);
    }

    /**
     * How many bytes the frame under way still wants, as far as is known, so that a large one can be read in large
     * pieces. 0 between two frames, which is the only place where a stream may end.
     */
    public function pending(): int
    {
        if ($this->missing > 0) {
            return $this->missing;
        }
        if ($this->skip > 0) {
            // Nobody wants these bytes: reading them all at once would hold what is to be skipped.
            return min($this->skip, self::LARGE);
        }
        $available = strlen($this->buffer) - $this->offset;
        if ($available === 0) {
            return 0;
        }
        $header = 4 * (ord($this->buffer[$this->offset]) & 0x0F);

        return $available < $header ? $header - $available : 0;
    }

    /**
     * @return array{int, int, int, int, string} as in $headers
     */
    private function parse(string $start): array
    {
        $first = ord($start[0]);
        $this->checkStart($first);
        /** @var array{flags: int, length: int, crc: int, stream: int} $fields */
        $fields = unpack('Cflags/Vlength/Vcrc/Cstream', $start, 1);
        if ($fields['crc'] !== crc32(substr($start, 0, 6))) {
            throw new ProtocolError(
                "The peer does not speak Goridge v3: the header's checksum is wrong, in " . bin2hex($start) . '.',
            );
        }
        $options = ($first & 0x0F) - 3;
        $header = [
            $fields['flags'],
            Frame::HEADER + 4 * $options,
            $fields['length'],
            $fields['stream'],
            $options === 0 ? '' : "V{$options}",
        ];
        if ($fields['length'] < self::LARGE) {
            if (count($this->headers) >= self::REMEMBERED) {
                $this->headers = $this->replies = [];
            }
            $this->headers[$start] = $header;
            if (isset(self::REPLIES[$options]) && ($fields['flags'] & Flag::CONTROL) === 0 && $fields['stream'] === 0 && $fields['length'] <= $this->maxPayload) {
                $this->replies[$start] = [$fields['flags'], $fields['length'], self::REPLIES[$options], $header[1]];
            }
        }

        return $header;
    }

    private function checkStart(int $first): void
    {
        $version = $first >> 4;
        if ($version !== Frame::VERSION) {
            throw new ProtocolError(
                "The peer does not speak Goridge v3: a frame of version {$version}, not " . Frame::VERSION . '.',
            );
        }
        $words = $first & 0x0F;
        if ($words < 3 || $words > 3 + Frame::MAX_OPTIONS) {
            throw new ProtocolError(
                "The peer does not speak Goridge v3: a header of {$words} words where 3 to 13 are possible.",
            );
        }
    }

    private function canHold(int $length): bool
    {
        // It is asked about a payload, of which there may be three copies; of the others there is the one that is to come.
        return $this->canHold === null || ($this->canHold)($length + intdiv(self::$promised, 3));
    }

    private function skip(int $length, int $available): void
    {
        $skipped = min($length, $available);
        $this->offset += $skipped;
        $this->skip = $length - $skipped;
    }

    /**
     * Adds to the payload under way, and returns what lies behind its end.
     */
    private function gather(string $bytes): string
    {
        $rest = '';
        if (strlen($bytes) > $this->missing) {
            $rest = substr($bytes, $this->missing);
            $bytes = substr($bytes, 0, $this->missing);
        }
        $this->missing -= strlen($bytes);
        self::$promised -= strlen($bytes);
        // Appending to one string would copy all of it again and again; tiny pieces would cost more than they hold.
        if (strlen($bytes) < self::LARGE) {
            $this->lastPiece .= $bytes;
        } else {
            $this->cut();
            $this->lastPiece = $bytes;
        }
        if (strlen($this->lastPiece) >= self::LARGE) {
            $this->cut();
        }

        return $rest;
    }

    private function cut(): void
    {
        if ($this->lastPiece !== '') {
            $this->pieces[] = $this->lastPiece;
            $this->lastPiece = '';
        }
    }

    private function assemble(): Frame
    {
        [$flags, $options, $stream, $length] = $this->partial ?? [0, [], 0, 0];
        $this->cut();
        $cut = 0;
        $head = '';
        $first = $this->pieces[0] ?? '';
        $name = $options[1] ?? 0;
        if ($this->cuts && $stream === 0 && $name <= strlen($first)) {
            $cut = $name;
            if (($flags & Flag::MSGPACK) !== 0 && ($flags & Flag::ERROR) === 0) {
                $head = self::stringHead(substr($first, $name, self::STRING_HEAD), $length - $name);
            }
            $first = substr($first, $cut + strlen($head));
            if ($first === '') {
                array_shift($this->pieces);
            } else {
                $this->pieces[0] = $first;
            }
        }
        $payload = count($this->pieces) === 1 ? $this->pieces[0] : implode('', $this->pieces);
        $this->partial = null;
        $this->pieces = [];

        return new Frame($flags, $options, $payload, $stream, $cut, $head);
    }

    /**
     * @param string $start of a body that has so many bytes
     * @return string the same if it says that all the rest is one string or binary data, else ''
     */
    private static function stringHead(string $start, int $length): string
    {
        $rest = pack('N', $length - self::STRING_HEAD);

        return $start === "\xc6" . $rest || $start === "\xdb" . $rest ? $start : '';
    }
}
