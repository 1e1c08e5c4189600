<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Codec\MessagePackExtension;

use function ini_get;

/**
 * Which bodies are left to the decoder in PHP, which the codec's results don't show.
 */
#[CoversClass(MessagePackExtension::class)]
#[RequiresPhpExtension('msgpack')]
final class MessagePackExtensionTest extends TestCase
{
    protected function setUp(): void
    {
        if (! (bool) ini_get('pcre.jit')) {
            self::markTestSkipped('The codec unpacks with the extension only where PCRE compiles expressions.');
        }
    }

    public function testTheExtensionIsUsable(): void
    {
        self::assertTrue(MessagePackExtension::isUsable());
    }

    /**
     * @param array<mixed> $values
     */
    #[DataProvider('ordinary')]
    public function testItUnpacksWhatItPacks(array $values): void
    {
        $extension = new MessagePackExtension();

        self::assertSame($values, $extension->unpack($extension->pack($values)));
    }

    /**
     * @return iterable<string, array{array<mixed>}>
     */
    public static function ordinary(): iterable
    {
        yield 'empty' => [[]];
        yield 'integers' => [[0, 127, 128, 255, 256, 65_536, 1 << 32, PHP_INT_MAX, -1, -33, -200, -40_000, -1 << 40, PHP_INT_MIN]];
        yield 'floats whose bytes look like extensions' => [[unpack('E', str_repeat("\xc7", 8)), unpack('E', str_repeat("\x41\xd6", 4))]];
        yield 'null and bool' => [['a' => null, 'b' => true, 'c' => false]];
        foreach ([0, 31, 32, 255, 256, 65_535, 65_536] as $length) {
            yield "strings of {$length} bytes of an extension's marker" => [['k' => str_repeat("\xd4", $length), 'l' => [str_repeat("\xcf", $length)]]];
        }
    }

    public function testItUnpacksListsAndMapsOfEachSize(): void
    {
        foreach ([15, 16, 255, 256, 65_536] as $count) {
            $this->testItUnpacksWhatItPacks([array_fill(0, $count, 1), array_fill(0, $count, 'a')]);
            $this->testItUnpacksWhatItPacks([array_fill(5, $count, 1), array_fill(7, $count, 'a')]);
        }
    }

    public function testItUnpacksMoreThan512ContainersSideBySide(): void
    {
        $this->testItUnpacksWhatItPacks(array_fill(0, 2_000, [1, ['k' => 'v']]));
    }

    public function testItUnpacksBytesOfEachLength(): void
    {
        $extension = new MessagePackExtension();
        foreach (['c4ff' => 255, 'c50100' => 256, 'c6000000ff' => 255, 'c600010000' => 65_536] as $head => $length) {
            $bytes = str_repeat("\xd6", $length);
            self::assertSame([$bytes, 1], $extension->unpack("\x92" . hex2bin($head) . $bytes . "\x01"));
        }
    }

    public function testItUnpacksMoreTokensThanPcreAllowsSteps(): void
    {
        $extension = new MessagePackExtension();
        $values = array_fill(0, 1_200_000, 1);
        $limit = ini_get('pcre.backtrack_limit');

        self::assertTrue($extension->unpack($extension->pack($values)) === $values);
        self::assertSame($limit, ini_get('pcre.backtrack_limit'));
    }

    public function testItIsOfUseAgainAfterAMalformedBody(): void
    {
        $extension = new MessagePackExtension();

        self::assertSame($extension->refused, $extension->unpack("\x92\x01"));
        self::assertSame([1], $extension->unpack("\x91\x01"));
    }

    #[DataProvider('unusual')]
    public function testItRefusesWhatItWouldDecodeInAnotherWay(string $hex): void
    {
        $extension = new MessagePackExtension();

        self::assertSame($extension->refused, $extension->unpack((string) hex2bin($hex)));
    }

    /**
     * @return iterable<array{string}>
     */
    public static function unusual(): iterable
    {
        foreach (['91', '9101ff', '91c1', '91cfffffffffffffffff', '91d6ff00000000', '91d40500', '91c7010500', '91d90261', '91c40261',
            '81c001', '81c301', '81cb3ff800000000000001', '819001', '82c0a8737464436c617373a16b01', 'ddffffffffc0', '92dcffffc0c0',
            '92a161dfffffffffc0c0', '92da000561', '92dbffffffff61', '92c60000000a61', '93da0001'] as $hex) {
            yield $hex => [$hex];
        }
    }

    public function testTheErrorHandlerOfTheApplicationSeesNoWarningOfIt(): void
    {
        $seen = [];
        set_error_handler(static function (int $level, string $message) use (&$seen): bool {
            $seen[] = $message;

            return true;
        });

        try {
            (new MessagePackExtension())->unpack("\x92\x01");
        } finally {
            restore_error_handler();
        }

        self::assertSame([], $seen);
    }
}
