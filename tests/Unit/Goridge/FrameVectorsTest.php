<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Goridge;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;

/**
 * The golden vectors that the Python tests read, too.
 *
 * @phpstan-type Valid array{name: string, hex: string, flags: int, stream: int, options: list<int>, payload_hex: string}
 * @phpstan-type Invalid array{name: string, hex: string, error: string}
 */
#[CoversClass(Frame::class)]
#[CoversClass(FrameDecoder::class)]
final class FrameVectorsTest extends TestCase
{
    /**
     * @param list<int> $options
     */
    #[DataProvider('valid')]
    public function testAValidVectorIsDecodedAndEncodedAgain(
        string $bytes,
        int $flags,
        int $stream,
        array $options,
        string $payload,
    ): void {
        $decoder = new FrameDecoder();
        $decoder->feed($bytes);

        self::assertEquals(new Frame($flags, $options, $payload, $stream), $decoder->next());
        self::assertNull($decoder->next());
        self::assertSame(0, $decoder->pending());
        self::assertSame(bin2hex($bytes), bin2hex(Frame::encode($flags, $options, $payload, $stream)));
    }

    /**
     * @return iterable<string, array{string, int, int, list<int>, string}>
     */
    public static function valid(): iterable
    {
        foreach (self::read()['valid'] as $vector) {
            yield $vector['name'] => [
                (string) hex2bin($vector['hex']),
                $vector['flags'],
                $vector['stream'],
                $vector['options'],
                (string) hex2bin($vector['payload_hex']),
            ];
        }
    }

    #[DataProvider('invalid')]
    public function testAnInvalidVectorIsRefused(string $bytes, string $error): void
    {
        $decoder = new FrameDecoder();
        $decoder->feed($bytes);
        if ($error === 'truncated') {
            self::assertNull($decoder->next());
            self::assertGreaterThan(0, $decoder->pending());

            return;
        }
        $this->expectException(ProtocolError::class);
        $this->expectExceptionMessage(match ($error) {
            'version' => 'a frame of version ',
            'header' => 'a header of ',
            'crc' => "the header's checksum is wrong",
            default => self::fail("An unknown error: {$error}"),
        });
        $decoder->next();
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public static function invalid(): iterable
    {
        foreach (self::read()['invalid'] as $vector) {
            yield $vector['name'] => [(string) hex2bin($vector['hex']), $vector['error']];
        }
    }

    /**
     * @return array{valid: list<Valid>, invalid: list<Invalid>}
     */
    private static function read(): array
    {
        /** @var array{valid: list<Valid>, invalid: list<Invalid>} */
        return json_decode(
            (string) file_get_contents(__DIR__ . '/../../vectors/frames.json'),
            true,
            flags: JSON_THROW_ON_ERROR,
        );
    }
}
