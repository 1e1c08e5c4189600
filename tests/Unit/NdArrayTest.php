<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit;

use LogicException;
use OutOfBoundsException;
use PHPUnit\Framework\AssertionFailedError;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\NdArray;
use Reasno\GoTask\Testing\FakeGoTask;
use ValueError;

use function array_sum;
use function ini_get;
use function ini_set;
use function iterator_to_array;
use function json_encode;
use function memory_get_usage;
use function pack;
use function range;
use function str_repeat;
use function strlen;

final class NdArrayTest extends TestCase
{
    public function testRowsAndElements(): void
    {
        $array = NdArray::fromList([[1, 2, 3], [4, 5, 6]], 'int32');
        self::assertSame([2, 3], $array->shape);
        self::assertCount(2, $array);
        $row = $array[1];
        self::assertInstanceOf(NdArray::class, $row);
        self::assertSame([3], $row->shape);
        self::assertSame(6, $row[2]);
        self::assertSame([[4, 5, 6]], $array->slice(1)->toArray());
        self::assertSame([5, 6], $row->slice(1)->toArray());
        self::assertSame(pack('V', 6), $row->slice(1)->slice(1)->bytes());
        self::assertTrue(isset($array[1]));
        self::assertFalse(isset($array[2]) || isset($array[-1]));
        self::assertSame('[[1,2,3],[4,5,6]]', json_encode($array));
        $rows = [];
        foreach ($array as $key => $each) {
            self::assertInstanceOf(NdArray::class, $each);
            $rows[$key] = $each->toArray();
        }
        self::assertSame($array->toArray(), $rows);
    }

    public function testIterationOverManyElements(): void
    {
        $array = NdArray::fromList(range(0, 9_999), 'uint16');
        self::assertSame(range(0, 9_999), iterator_to_array($array));
        self::assertSame(range(0, 9_999), $array->toArray());
    }

    public function testASliceHasSomeRowsAndSharesTheBytes(): void
    {
        $array = NdArray::fromBytes(str_repeat(pack('e', 1.5), 1_000_000), 'float64', [500_000, 2]);
        $before = memory_get_usage();
        $slice = $array->slice(1, 499_998)->slice(1);
        self::assertSame([499_997, 2], $slice->shape);
        self::assertLessThan(10_000, memory_get_usage() - $before);
        self::assertSame([[1.5, 1.5]], $slice->slice(499_996, 5)->toArray());
        self::assertCount(0, $slice->slice(499_997));
        self::assertSame(16, strlen($slice->slice(3, 1)->bytes()));
    }

    public function testWhatIsNotThere(): void
    {
        $array = NdArray::fromList([1, 2], 'int8');
        foreach ([
            static fn (): mixed => $array[2],
            static fn (): mixed => $array[-1],
            static fn (): mixed => $array->slice(3),
            static fn (): mixed => $array->slice(-1),
            static fn (): mixed => $array->slice(0, -1),
        ] as $ask) {
            try {
                $ask();
                self::fail('No exception.');
            } catch (OutOfBoundsException $exception) {
                self::assertStringStartsWith('There are 2 rows', $exception->getMessage());
            }
        }
    }

    public function testItCanNotBeChanged(): void
    {
        $array = NdArray::fromList([1], 'int8');
        foreach ([static fn () => $array[0] = 2, static function () use ($array): void { unset($array[0]); }] as $change) {
            try {
                $change();
                self::fail('No exception.');
            } catch (LogicException $exception) {
                self::assertStringContainsString("can't be changed", $exception->getMessage());
            }
        }
    }

    /**
     * @param array<mixed> $values
     */
    #[DataProvider('unfit')]
    public function testValuesThatDoNotFit(array $values, string $dtype, string $message): void
    {
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage($message);
        NdArray::fromList($values, $dtype);
    }

    /**
     * @return iterable<array{array<mixed>, string, string}>
     */
    public static function unfit(): iterable
    {
        yield [[128], 'int8', "An array of int8 can't hold 128."];
        yield [[-129], 'int8', "can't hold -129."];
        yield [[-1], 'uint8', "can't hold -1."];
        yield [[256], 'uint8', "can't hold 256."];
        yield [[2 ** 31], 'int32', "can't hold 2147483648."];
        yield [[-1], 'uint64', "can't hold -1."];
        yield [[1.0], 'int64', "can't hold a value of type float."];
        yield [['1'], 'float64', "can't hold a value of type string."];
        yield [[null], 'float64', "can't hold a value of type null."];
        yield [[1], 'bool', "can't hold 1."];
        yield [[1], 'complex128', 'elements of the type complex128, not of one of bool, int8'];
        yield [[[1], [2, 3]], 'int8', 'lists of the same length'];
        yield [[[1], 2], 'int8', 'lists of the same length'];
        yield [['a' => 1], 'int8', 'lists of the same length'];
    }

    public function testBytes(): void
    {
        $bytes = pack('g*', 1, 2, 3, 4);
        self::assertSame([1.0, 2.0, 3.0, 4.0], NdArray::fromBytes($bytes, 'float32')->toArray());
        self::assertSame([[1.0, 2.0], [3.0, 4.0]], NdArray::fromBytes($bytes, 'float32', [2, 2])->toArray());
        $this->expectExceptionMessage('An array of float32 and the shape [3] has 12 bytes, not 16.');
        NdArray::fromBytes($bytes, 'float32', [3]);
    }

    public function testAnIntegerAbovePhpsIsAnError(): void
    {
        $array = NdArray::fromBytes(pack('P2', 1, -1), 'uint64');
        self::assertSame(1, $array[0]);
        $this->expectException(DecodeFailed::class);
        $this->expectExceptionMessage('above PHP_INT_MAX');
        $array->toArray();
    }

    public function testAListThatMemoryHasNoRoomForIsAnError(): void
    {
        $array = NdArray::fromBytes(str_repeat("\0", 4_000_000), 'uint8');
        $limit = (string) ini_get('memory_limit');
        ini_set('memory_limit', (string) (memory_get_usage(true) + 100_000_000));

        try {
            $array->toArray();
            self::fail('No exception.');
        } catch (DecodeFailed $failure) {
            self::assertStringContainsString('take slices of it', $failure->getMessage());
        } finally {
            ini_set('memory_limit', $limit);
        }
        self::assertSame(0, array_sum($array->slice(0, 1000)->toArray()));
    }

    public function testManyRowsWithoutElementsTakeNoMemory(): void
    {
        $this->expectException(DecodeFailed::class);
        NdArray::fromBytes('', 'int8', [1 << 50, 0])->toArray();
    }

    public function testASmallPartOfABodyDoesNotHoldIt(): void
    {
        $codec = new MessagePackCodec();
        $body = $codec->encode([str_repeat('x', 4_000_000), NdArray::fromList([1.5], 'float64')]);
        $array = ((array) $codec->decode($body))[1];
        unset($body);
        self::assertInstanceOf(NdArray::class, $array);
        self::assertLessThan(1_000_000, strlen(serialize($array)));
        self::assertSame(1.5, $array[0]);
    }

    public function testAFakeGoTaskComparesArrays(): void
    {
        $task = new FakeGoTask(['Echo' => static fn (mixed $value): mixed => $value]);
        $array = NdArray::fromList([1, 2], 'int8');
        self::assertEquals($array->toArray(), (array) json_decode((string) json_encode($task->call('Echo', $array))));
        $task->assertCalled('Echo', NdArray::fromList([1, 2], 'int8'));
        $this->expectException(AssertionFailedError::class);
        $this->expectExceptionMessageMatches('/never with this payload/');
        $task->assertCalled('Echo', [1, 2]);
    }
}
