<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Goridge;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Random\Engine\Mt19937;
use Random\Randomizer;
use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;
use Reasno\GoTask\Goridge\OversizedFrame;
use Reasno\GoTask\Goridge\Stream;

use function strlen;

#[CoversClass(FrameDecoder::class)]
#[CoversClass(OversizedFrame::class)]
final class FrameDecoderTest extends TestCase
{
    private const LIMIT = 200_000;

    public function testWhatIsStillToComeElsewhereHasItsPlaceInTheMemory(): void
    {
        $asked = [];
        $canHold = static function (int $length) use (&$asked): bool {
            $asked[] = $length;

            return true;
        };
        $frame = Frame::encode(0, [1, 0], str_repeat('x', 300_000));
        $first = new FrameDecoder(canHold: $canHold);
        $first->feed(substr($frame, 0, 20));
        self::assertNull($first->next());
        $second = new FrameDecoder(canHold: $canHold);
        $second->feed($frame);
        self::assertNotNull($second->next());
        unset($first);
        $second->feed($frame);
        self::assertNotNull($second->next());
        self::assertSame([300_000, 400_000, 300_000], $asked);
    }

    public function testManyFramesInOnePieceComeInTheirOrder(): void
    {
        $decoder = new FrameDecoder();
        $decoder->feed(Frame::call(1, 'a', Flag::RAW, 'x') . Frame::call(2, 'b', Flag::JSON, '') . Frame::encode(Flag::CONTROL, [9], '', Stream::STOP));

        self::assertEquals(new Frame(Flag::RAW, [1, 1], 'ax'), $decoder->next());
        self::assertEquals(new Frame(Flag::JSON, [2, 1], 'b'), $decoder->next());
        self::assertEquals(new Frame(Flag::CONTROL, [9], '', Stream::STOP), $decoder->next());
        self::assertNull($decoder->next());
    }

    public function testNothingFedIsNothingToDecode(): void
    {
        $decoder = new FrameDecoder();
        $decoder->feed('');

        self::assertNull($decoder->next());
        self::assertSame(0, $decoder->pending());
    }

    /**
     * Whatever a stream holds, valid or not, its frames and its error do not depend on the pieces in which it arrives.
     */
    #[DataProvider('seeds')]
    public function testThePiecesOfAStreamMakeNoDifference(int $seed): void
    {
        $random = new Randomizer(new Mt19937($seed));
        $stream = self::randomStream($random);
        $whole = self::decodeAll([$stream]);

        self::assertEquals($whole, self::decodeAll(str_split($stream)), 'byte by byte');
        for ($i = 0; $i < 5; $i++) {
            self::assertEquals($whole, self::decodeAll(self::cut($random, $stream)), 'in random pieces');
        }
    }

    /**
     * @return iterable<string, array{int}>
     */
    public static function seeds(): iterable
    {
        for ($seed = 1; $seed <= 30; $seed++) {
            yield "seed {$seed}" => [$seed];
        }
    }

    public function testFramesBeforeDamageAreGivenFirst(): void
    {
        $decoder = new FrameDecoder();
        $decoder->feed(Frame::call(1, 'a', Flag::RAW, 'x') . 'GET / HTTP/1.1');

        self::assertInstanceOf(Frame::class, $decoder->next());
        $this->expectException(ProtocolError::class);
        $this->expectExceptionMessage('version 4');
        $decoder->next();
    }

    public function testAWrongFirstByteIsRefusedWithoutWaitingForMore(): void
    {
        $decoder = new FrameDecoder();
        $decoder->feed('G');

        $this->expectException(ProtocolError::class);
        $decoder->next();
    }

    public function testAWrongChecksumIsRefusedWithoutWaitingForTheOptions(): void
    {
        $decoder = new FrameDecoder();
        $decoder->feed("\x1d" . str_repeat("\0", 11));

        $this->expectException(ProtocolError::class);
        $this->expectExceptionMessage('checksum');
        $decoder->next();
    }

    public function testAnOversizedPayloadIsReportedAtItsHeaderAndSkipped(): void
    {
        $decoder = new FrameDecoder(10);
        $bytes = Frame::encode(Flag::RAW, [7, 1], str_repeat('x', 11), Stream::STREAM);
        $decoder->feed(substr($bytes, 0, 20));

        self::assertEquals(new OversizedFrame(Flag::RAW, [7, 1], 11, Stream::STREAM), $decoder->next());
        self::assertNull($decoder->next());
        self::assertSame(11, $decoder->pending());

        $decoder->feed(substr($bytes, 20) . Frame::encode(Flag::RAW, [8, 1], str_repeat('y', 10)));
        self::assertEquals(new Frame(Flag::RAW, [8, 1], str_repeat('y', 10)), $decoder->next());
        self::assertNull($decoder->next());
        self::assertSame(0, $decoder->pending());
    }

    public function testAnOversizedPayloadIsNotHeld(): void
    {
        $decoder = new FrameDecoder(1 << 20);
        $piece = str_repeat('x', 1 << 16);
        $decoder->feed(substr(Frame::encode(Flag::RAW, [7, 1], str_repeat('x', 64 << 20)), 0, 20));
        self::assertInstanceOf(OversizedFrame::class, $decoder->next());
        $before = memory_get_usage();
        for ($i = 0; $i < 1023; $i++) {
            $decoder->feed($piece);
            self::assertNull($decoder->next());
        }

        self::assertLessThan($before + 1_000_000, memory_get_usage());
        self::assertSame(1 << 16, $decoder->pending());
    }

    public function testALargePayloadIsHeldOnlyIfThereIsMemoryForIt(): void
    {
        $asked = [];
        $decoder = new FrameDecoder(FrameDecoder::MAX_PAYLOAD, static function (int $length) use (&$asked): bool {
            $asked[] = $length;

            return $length < 100_000;
        });
        foreach ([65_535, 65_536, 99_999, 100_000, 5] as $length) {
            $decoder->feed(Frame::encode(Flag::RAW, [$length], str_repeat('x', $length)));
            $frame = $decoder->next();
            self::assertInstanceOf($length === 100_000 ? OversizedFrame::class : Frame::class, $frame);
            self::assertSame([$length], $frame->options);
            self::assertNull($decoder->next());
        }

        self::assertSame([65_536, 99_999, 100_000], $asked);
    }

    public function testALargePayloadIsAskedForOnceHoweverManyPiecesItHas(): void
    {
        $asked = 0;
        $decoder = new FrameDecoder(FrameDecoder::MAX_PAYLOAD, static function () use (&$asked): bool {
            $asked++;

            return true;
        });
        foreach (str_split(Frame::encode(Flag::RAW, [1], str_repeat('x', 100_000)), 1_000) as $piece) {
            $decoder->feed($piece);
            $decoder->next();
        }

        self::assertSame(1, $asked);
    }

    public function testPendingSaysHowManyBytesAreMissing(): void
    {
        $decoder = new FrameDecoder();
        $bytes = Frame::encode(Flag::RAW, [1, 2], str_repeat('x', 1_000));
        $at = 0;
        // begin of the header, its options, the payload, all but its last byte
        foreach ([1 => 19, 12 => 8, 20 => 1_000, 120 => 900, 1_019 => 1] as $end => $pending) {
            $decoder->feed(substr($bytes, $at, $end - $at));
            $at = $end;
            self::assertNull($decoder->next());
            self::assertSame($pending, $decoder->pending(), "after {$end} bytes");
        }
        $decoder->feed(substr($bytes, $at));
        self::assertInstanceOf(Frame::class, $decoder->next());
        self::assertSame(0, $decoder->pending());
    }

    public function testPendingDoesNotCountTheFramesThatAreTaken(): void
    {
        $decoder = new FrameDecoder();
        $bytes = Frame::encode(Flag::RAW, [1, 2], 'x');
        $decoder->feed($bytes . substr($bytes, 0, 15));
        self::assertInstanceOf(Frame::class, $decoder->next());
        self::assertNull($decoder->next());

        self::assertSame(5, $decoder->pending());
    }

    public function testHeadersAreNotRememberedWithoutEnd(): void
    {
        $decoder = new FrameDecoder();
        $decoder->feed(Frame::encode(Flag::RAW, [], 'x'));
        $before = memory_get_usage();
        for ($length = 1; $length < 60_000; $length += 7) {
            $header = pack('CCV', 0x13, Flag::RAW, $length);
            $decoder->feed($header . pack('VCC', crc32($header), 0, 0) . str_repeat('x', $length));
            while ($decoder->next() !== null);
        }

        self::assertLessThan($before + 500_000, memory_get_usage());
    }

    public function testAPayloadThatArrivesByteByByteTakesLittleMoreMemoryThanItHas(): void
    {
        $decoder = new FrameDecoder();
        $bytes = Frame::encode(Flag::RAW, [], str_repeat('x', 1 << 20));
        $before = memory_get_usage();
        for ($i = 0, $end = strlen($bytes) - 1; $i < $end; $i++) {
            $decoder->feed($bytes[$i]);
            if ($i < 12) {
                $decoder->next();
            }
        }

        self::assertSame(1, $decoder->pending());
        self::assertLessThan($before + (3 << 19), memory_get_usage());
        $decoder->feed('x');
        self::assertEquals(new Frame(Flag::RAW, [], str_repeat('x', 1 << 20)), $decoder->next());
    }

    /**
     * @param string $body of a reply to a method that is called `A.b`
     * @param int $first bytes of the payload that come first
     */
    #[DataProvider('largeBodies')]
    public function testWhatStandsBeforeALargeStringIsCutOff(string $body, int $flags, int $first, int $cut, string $head): void
    {
        $decoder = new FrameDecoder(cuts: true);
        $frame = Frame::encode($flags, [7, 3], 'A.b' . $body);
        $start = strlen($frame) - strlen($body) - 3 + $first;
        $decoder->feed(substr($frame, 0, $start));
        self::assertNull($decoder->next());
        $decoder->feed(substr($frame, $start));
        $decoded = $decoder->next();
        self::assertInstanceOf(Frame::class, $decoded);
        self::assertSame([$cut, $head], [$decoded->cut, $decoded->stringHead]);
        self::assertTrue(substr('A.b', $cut) . $body === $head . $decoded->payload);
    }

    /**
     * @return iterable<string, array{string, int, int, int, string}>
     */
    public static function largeBodies(): iterable
    {
        $string = str_repeat('x', 1 << 17);
        foreach (['binary' => "\xc6\0\2\0\0", 'a string' => "\xdb\0\2\0\0"] as $name => $head) {
            yield $name => [$head . $string, Flag::MSGPACK, 100, 3, $head];
            yield "{$name}, its head alone at first" => [$head . $string, Flag::MSGPACK, 8, 3, $head];
            yield "{$name}, within its head" => [$head . $string, Flag::MSGPACK, 7, 3, ''];
            yield "{$name}, within the name" => [$head . $string, Flag::MSGPACK, 2, 0, ''];
            yield "{$name}, something behind it" => [$head . $string . 'x', Flag::MSGPACK, 100, 3, ''];
            yield "{$name}, too short" => [$head . substr($string, 1), Flag::MSGPACK, 100, 3, ''];
            yield "{$name}, of another codec" => [$head . $string, Flag::RAW, 100, 3, ''];
            yield "{$name}, of an error" => [$head . $string, Flag::MSGPACK | Flag::ERROR, 100, 3, ''];
            yield "{$name}, within a list" => ["\x91" . $head . $string, Flag::MSGPACK, 100, 3, ''];
        }
    }

    public function testALargePayloadIsLetGoOnceItIsTaken(): void
    {
        $decoder = new FrameDecoder();
        $before = memory_get_usage();
        $decoder->feed(Frame::encode(Flag::RAW, [], str_repeat('x', 8 << 20)));
        self::assertInstanceOf(Frame::class, $decoder->next());
        self::assertNull($decoder->next());

        self::assertLessThan($before + 100_000, memory_get_usage());
    }

    public function testHeadersAreNotMixedUpWhenMoreOfThemComeThanAreRemembered(): void
    {
        $decoder = new FrameDecoder();
        for ($round = 0; $round < 2; $round++) {
            for ($length = 0; $length < 1_000; $length++) {
                $decoder->feed(Frame::encode($length & 0xFF, [$length], str_repeat('x', $length)));
                self::assertEquals(new Frame($length & 0xFF, [$length], str_repeat('x', $length)), $decoder->next());
            }
        }
    }

    /**
     * @param iterable<string> $pieces
     * @return list<Frame|OversizedFrame|string>
     */
    private static function decodeAll(iterable $pieces): array
    {
        $decoder = new FrameDecoder(self::LIMIT);
        $decoded = [];

        try {
            foreach ($pieces as $piece) {
                $decoder->feed($piece);
                while (($frame = $decoder->next()) !== null) {
                    $decoded[] = $frame;
                }
            }
            $decoded[] = $decoder->pending() === 0 ? 'complete' : 'truncated';
        } catch (ProtocolError $error) {
            $decoded[] = $error->getMessage();
        }

        return $decoded;
    }

    private static function randomStream(Randomizer $random): string
    {
        $stream = '';
        for ($i = $random->getInt(1, 12); $i > 0; $i--) {
            $options = [];
            for ($count = $random->getInt(0, 10); $count > 0; $count--) {
                $options[] = $random->getInt(0, 0xFFFFFFFF);
            }
            $length = match ($random->getInt(0, 20)) {
                0 => $random->getInt(self::LIMIT - 3, self::LIMIT + 3),
                1 => $random->getInt(60_000, 70_000),
                2, 3, 4 => 0,
                default => $random->getInt(1, 100),
            };
            $stream .= Frame::encode(
                $random->getInt(0, 0xFF),
                $options,
                $length === 0 ? '' : $random->getBytes($length),
                $random->getInt(0, 0x0F),
            );
        }

        return match ($random->getInt(0, 3)) {
            0 => $stream . $random->getBytes(40),
            1 => substr($stream, 0, -$random->getInt(1, 10)),
            default => $stream,
        };
    }

    /**
     * @return iterable<string>
     */
    private static function cut(Randomizer $random, string $stream): iterable
    {
        for ($at = 0, $end = strlen($stream); $at < $end; $at += $length) {
            $length = $random->getInt(0, 3) === 0 ? $random->getInt(1, 100_000) : $random->getInt(1, 30);
            yield substr($stream, $at, $length);
        }
    }
}
