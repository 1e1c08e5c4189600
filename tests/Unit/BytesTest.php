<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Raw;

#[CoversClass(Bytes::class)]
#[CoversClass(Raw::class)]
final class BytesTest extends TestCase
{
    public function testBytesAndRawHoldTheirBytes(): void
    {
        foreach ([new Bytes("\x00\xff"), new Raw("\x00\xff")] as $value) {
            self::assertSame("\x00\xff", $value->bytes);
            self::assertSame("\x00\xff", (string) $value);
        }
    }
}
