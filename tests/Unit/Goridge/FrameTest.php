<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Goridge;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Goridge\CallFlag;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;
use Reasno\GoTask\Goridge\Stream;

use function strlen;

#[CoversClass(Frame::class)]
final class FrameTest extends TestCase
{
    public function testACallHasItsSequenceAndTheLengthOfItsMethodAsOptions(): void
    {
        self::assertSame(
            '150809000000c036a1af000001000000060000004170702e4869227822',
            bin2hex(Frame::call(1, 'App.Hi', Flag::JSON, '"x"')),
        );
    }

    public function testADeadlineAddsTheThirdAndFourthOption(): void
    {
        $frame = self::decode(Frame::call(7, 'App.Hi', Flag::MSGPACK, "\xc0", 30_000));

        self::assertSame([7, 6, 30_000, 0], $frame->options);
        self::assertSame("App.Hi\xc0", $frame->payload);
        self::assertSame(Flag::MSGPACK, $frame->flags);
    }

    public function testCallFlagsWithoutADeadlineSayThatThereIsNone(): void
    {
        $frame = self::decode(Frame::call(7, 'App.Hi', Flag::RAW, '', null, CallFlag::ARGS | CallFlag::NOTIFY));

        self::assertSame([7, 6, 0, 3], $frame->options);
    }

    /**
     * @param int<1, max> $expected
     */
    #[DataProvider('remaining')]
    public function testARemainingTimeNeverTurnsIntoNoDeadline(int $remaining, int $expected): void
    {
        self::assertSame([1, 1, $expected, 0], self::decode(Frame::call(1, 'f', Flag::RAW, '', $remaining))->options);
    }

    /**
     * @return iterable<string, array{int, int}>
     */
    public static function remaining(): iterable
    {
        yield 'nothing left' => [0, 1];
        yield 'late already' => [-5, 1];
        yield 'the least' => [1, 1];
        yield 'the most' => [0xFFFFFFFF, 0xFFFFFFFF];
        yield 'more than fits' => [PHP_INT_MAX, 0xFFFFFFFF];
    }

    public function testMethodNamesAreOneTo255Bytes(): void
    {
        self::assertSame([1, 255], self::decode(Frame::call(1, str_repeat('m', 255), Flag::RAW, ''))->options);

        foreach (['', str_repeat('m', 256)] as $method) {
            try {
                Frame::call(1, $method, Flag::RAW, '');
                self::fail('No exception for a name of ' . strlen($method) . ' bytes.');
            } catch (InvalidRequest $exception) {
                self::assertSame($method, $exception->method);
                self::assertStringContainsString(strlen($method) . '.', $exception->getMessage());
            }
        }
    }

    #[DataProvider('frames')]
    public function testWhatIsEncodedIsDecoded(Frame $frame): void
    {
        $bytes = Frame::encode($frame->flags, $frame->options, $frame->payload, $frame->stream);

        self::assertEquals($frame, self::decode($bytes));
        // Small frames come from a memory of headers the second time.
        self::assertSame($bytes, Frame::encode($frame->flags, $frame->options, $frame->payload, $frame->stream));
    }

    /**
     * @return iterable<string, array{Frame}>
     */
    public static function frames(): iterable
    {
        yield 'nothing at all' => [new Frame(0, [], '')];
        yield 'a payload' => [new Frame(Flag::RAW, [], 'payload')];
        yield 'the same with an option' => [new Frame(Flag::RAW, [3], 'payload')];
        yield 'the same with another flag' => [new Frame(Flag::RAW | Flag::ERROR, [3], 'payload')];
        yield 'the same in a stream' => [new Frame(Flag::RAW | Flag::ERROR, [3], 'payload', Stream::STREAM)];
        yield 'ten options' => [new Frame(Flag::JSON, [0, 1, 2, 3, 4, 5, 6, 7, 8, 0xFFFFFFFF], 'p')];
        yield 'every bit' => [new Frame(0xFF, [0xFFFFFFFF], 'p', 0x0F)];
        foreach ([255, 256, 1023, 1024, 65_535, 65_536, 1 << 20] as $length) {
            yield "a payload of {$length} bytes" => [new Frame(Flag::RAW, [1, 2], str_repeat('x', $length))];
        }
    }

    public function testHeadersAreNotMixedUpWhenMoreOfThemAreUsedThanAreRemembered(): void
    {
        for ($round = 0; $round < 2; $round++) {
            for ($length = 0; $length < 1_500; $length += 2) {
                $payload = str_repeat('x', $length);
                self::assertSame($payload, self::decode(Frame::encode(Flag::RAW, [], $payload))->payload);
            }
        }
    }

    private static function decode(string $bytes): Frame
    {
        $decoder = new FrameDecoder();
        $decoder->feed($bytes);
        $frame = $decoder->next();
        self::assertInstanceOf(Frame::class, $frame);
        self::assertSame(0, $decoder->pending());

        return $frame;
    }
}
