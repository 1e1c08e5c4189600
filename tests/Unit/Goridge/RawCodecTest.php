<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Goridge;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\RawCodec;
use Reasno\GoTask\Raw;
use stdClass;

#[CoversClass(RawCodec::class)]
final class RawCodecTest extends TestCase
{
    public function testBytesPassUntouched(): void
    {
        $codec = new RawCodec();

        self::assertSame(Flag::RAW, $codec->flag());
        foreach (["\x00\xff", new Raw("\x00\xff"), new Bytes("\x00\xff")] as $value) {
            self::assertSame("\x00\xff", $codec->encode($value));
        }
        self::assertSame("\x00\xff", $codec->decode("\x00\xff"));
    }

    public function testNothingIsAnEmptyBodyAndAnEmptyBodyAnEmptyString(): void
    {
        self::assertSame('', (new RawCodec())->encode(null));
        self::assertSame('', (new RawCodec())->decode(''));
    }

    #[TestWith([5, 'int'])]
    #[TestWith([['a'], 'array'])]
    #[TestWith([new stdClass(), 'stdClass'])]
    public function testAnythingElseIsAnError(mixed $value, string $type): void
    {
        $this->expectException(EncodeFailed::class);
        $this->expectExceptionMessage("\$payload is of type {$type}; RAW takes a string, or use MessagePack or JSON.");
        (new RawCodec())->encode($value);
    }
}
