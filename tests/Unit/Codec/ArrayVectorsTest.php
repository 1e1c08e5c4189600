<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\MessagePackExtension;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\NdArray;

use function bin2hex;
use function count;
use function file_get_contents;
use function hex2bin;
use function json_decode;
use function strlen;

/**
 * The golden vectors that the Python tests read, too; with ext-msgpack, where it is loaded, and without.
 */
final class ArrayVectorsTest extends TestCase
{
    /**
     * @param list<int> $shape
     * @param list<mixed> $values
     */
    #[DataProvider('valid')]
    public function testItIsDecodedAndEncoded(string $hex, string $dtype, array $shape, array $values): void
    {
        foreach (self::codecs() as $codec) {
            foreach (['' => 0, '92c0' => 1, '81a16b' => 'k'] as $before => $key) {
                $decoded = $codec->decode((string) hex2bin($before . $hex));
                $array = $before === '' ? $decoded : ((array) $decoded)[$key];
                self::assertInstanceOf(NdArray::class, $array);
                self::assertSame([$dtype, $shape], [$array->dtype, $array->shape]);
                self::assertSame($values, $array->toArray());
                self::assertSame($hex, bin2hex($codec->encode($array)));
                self::assertSame('91' . $hex, bin2hex($codec->encode([$array])));
            }
            if ($shape !== [0, 3]) {
                self::assertSame($hex, bin2hex($codec->encode(NdArray::fromList($values, $dtype))));
            }
        }
    }

    /**
     * @return iterable<string, array{string, string, list<int>, list<mixed>}>
     */
    public static function valid(): iterable
    {
        foreach (self::vectors()['valid'] as $vector) {
            yield $vector['name'] => [$vector['hex'], $vector['dtype'], $vector['shape'], $vector['values']];
        }
    }

    /**
     * @param list<int> $shape
     */
    #[DataProvider('valid')]
    public function testWhateverIsWrongInItIsAnErrorOrAnotherArray(string $hex, string $dtype, array $shape): void
    {
        $codec = new MessagePackCodec(false);
        $body = (string) hex2bin($hex);
        $head = 3 + 16 + 8 * count($shape);
        $refused = 0;
        for ($at = 0; $at < $head; $at++) {
            foreach (["\0", "\x01", "\x02", "\x7f", "\x80", "\xff"] as $byte) {
                $changed = $body;
                $changed[$at] = $byte;
                try {
                    $value = $codec->decode($changed);
                    self::assertTrue(! $value instanceof NdArray || strlen($value->bytes()) === $value->size());
                } catch (DecodeFailed) {
                    $refused++;
                }
            }
        }
        self::assertGreaterThan(5 * 8, $refused, $dtype);
    }

    #[DataProvider('invalid')]
    public function testItIsRefused(string $hex): void
    {
        foreach (self::codecs() as $codec) {
            foreach (['', '92c0', '81a16b'] as $before) {
                try {
                    $codec->decode((string) hex2bin($before . $hex));
                    self::fail('No exception.');
                } catch (DecodeFailed $failure) {
                    self::assertMatchesRegularExpression('/^\$result\S* (is|can\'t be) an array/', $failure->getMessage());
                }
            }
        }
    }

    /**
     * @return iterable<string, array{string}>
     */
    public static function invalid(): iterable
    {
        foreach (self::vectors()['invalid'] as $vector) {
            yield $vector['name'] => [$vector['hex']];
        }
    }

    /**
     * @return list<MessagePackCodec>
     */
    private static function codecs(): array
    {
        return MessagePackExtension::isUsable() ? [new MessagePackCodec(true), new MessagePackCodec(false)] : [new MessagePackCodec(false)];
    }

    /**
     * @return array{valid: list<array{name: string, hex: string, dtype: string, shape: list<int>, values: list<mixed>}>, invalid: list<array{name: string, hex: string}>}
     */
    private static function vectors(): array
    {
        /** @var array{valid: list<array{name: string, hex: string, dtype: string, shape: list<int>, values: list<mixed>}>, invalid: list<array{name: string, hex: string}>} */
        return json_decode((string) file_get_contents(__DIR__ . '/../../vectors/arrays.json'), true, flags: JSON_THROW_ON_ERROR);
    }
}
