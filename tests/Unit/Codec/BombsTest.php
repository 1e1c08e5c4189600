<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\MessagePackDecoder;
use Reasno\GoTask\Codec\MessagePackExtension;
use Reasno\GoTask\Codec\Values;
use Reasno\GoTask\Exception\DecodeFailed;

use function memory_get_peak_usage;
use function memory_get_usage;
use function memory_reset_peak_usage;
use function pack;
use function str_repeat;
use function strlen;

/**
 * Small bodies that would decode to much.
 *
 * @internal
 */
#[CoversClass(MessagePackCodec::class)]
#[CoversClass(MessagePackDecoder::class)]
#[CoversClass(MessagePackExtension::class)]
final class BombsTest extends TestCase
{
    private const MAX = Values::MAX_ELEMENTS;

    #[DataProvider('bombs')]
    public function testWhatWouldDecodeToTooMuchIsRefusedBeforeItIsHeld(bool $extension, string $head, string $unit, int $count, string $message, string $end = ''): void
    {
        $codec = new MessagePackCodec($extension);
        $body = $head . str_repeat($unit, $count) . $end;
        memory_reset_peak_usage();
        $before = memory_get_usage();

        try {
            $codec->decode($body);
            self::fail('It was decoded.');
        } catch (DecodeFailed $failure) {
            self::assertStringContainsString($message, $failure->getMessage());
        }
        self::assertLessThan(2 * strlen($body) + 64 * 1024 * 1024, memory_get_peak_usage() - $before);
    }

    /**
     * What the bodies are made of: of whole ones PHPUnit would make texts, several times.
     *
     * @return iterable<string, array{0: bool, 1: string, 2: string, 3: int, 4: string, 5?: string}>
     */
    public static function bombs(): iterable
    {
        $many = 'has more than ' . self::MAX . ' elements';
        foreach ([true, false] as $extension) {
            if ($extension && ! MessagePackExtension::isUsable()) {
                continue;
            }
            $with = $extension ? ', with the extension' : '';
            yield "an array that declares what is not there{$with}" => [$extension, "\xdd\xff\xff\xff\xff", '', 0, 'ends within it'];
            yield "a map that declares what is not there{$with}" => [$extension, "\xdf\xff\xff\xff\xff", "\xc0", 1, 'ends within it'];
            yield "an array of nils{$with}" => [$extension, "\xdd" . pack('N', self::MAX + 1), "\xc0", self::MAX + 1, $many];
            yield "a map of nils{$with}" => [$extension, "\xdf" . pack('N', self::MAX), "\xc0", 2 * self::MAX, $many];
            yield "arrays of one nil each{$with}" => [$extension, "\xdd" . pack('N', self::MAX), "\x91\xc0", self::MAX, $many];
            yield "arrays in each other{$with}" => [$extension, '', "\x91", 1_000_000, 'nested more than 512 deep', "\xc0"];
        }
    }

    public function testALargeTextThatLooksLikeManyElementsIsOne(): void
    {
        self::assertSame([str_repeat("\x91", self::MAX + 1)], (new MessagePackCodec())->decode("\x91\xc6" . pack('N', self::MAX + 1) . str_repeat("\x91", self::MAX + 1)));
    }
}
