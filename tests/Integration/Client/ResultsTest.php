<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Client;
use Reasno\GoTask\NdArray;
use Reasno\GoTask\Process\WorkerProcess;
use Reasno\GoTask\Time;

use function array_fill;
use function array_keys;
use function array_map;
use function dirname;
use function is_float;
use function json_encode;
use function pack;
use function str_repeat;

/**
 * What Python's types become in PHP, by a real worker.
 */
#[RequiresPhpExtension('pcntl')]
#[RequiresPhpExtension('posix')]
final class ResultsTest extends TestCase
{
    private static ?WorkerProcess $worker = null;

    private static Client $client;

    public static function setUpBeforeClass(): void
    {
        self::$worker = new WorkerProcess(dirname(__DIR__) . '/Fixtures/results.py', workers: 1);
        self::$worker->start();
        self::$client = new Client(self::$worker->address());
    }

    public static function tearDownAfterClass(): void
    {
        self::$worker?->stop();
        self::$worker = null;
    }

    #[DataProvider('values')]
    public function testItArrivesSensibly(string $name, string $json): void
    {
        self::assertSame($json, json_encode(self::$client->call('Values.Get', $name), JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES));
    }

    /**
     * @return iterable<array{string, string}>
     */
    public static function values(): iterable
    {
        $time = '2026-01-02T03:04:05.250000+00:00';
        $id = '00000000-0000-0000-0000-000000000001';
        yield ['decimal', '"1.10"'];
        yield ['date', '"2026-01-02"'];
        yield ['time', '"03:04:05.250000"'];
        yield ['datetime', "\"{$time}\""];
        yield ['naive datetime', '"2026-01-02T03:04:05.250000"'];
        yield ['timedelta', '1.5'];
        yield ['uuid', "\"{$id}\""];
        yield ['enum', '"red"'];
        yield ['set', '[1]'];
        yield ['deque', '[1,2]'];
        yield ['view', '["a"]'];
        yield ['range', '[0,1,2]'];
        yield ['mapping', '{"a":1}'];
        yield ['keys', "{\"2026-01-02\":1,\"{$id}\":2,\"{$time}\":3,\"red\":4}"];
        yield ['dataclass', "{\"id\":\"{$id}\",\"total\":\"9.90\",\"made\":\"{$time}\",\"lines\":[1,2]}"];
        yield ['path', '"/tmp/x"'];
        yield ['address', '"127.0.0.1"'];
        yield ['encoder', '"65f0c0ffee"'];
        yield ['finite', '[null,1.5]'];
    }

    #[DataProvider('ofLibraries')]
    public function testSoDoesWhatNumpyAndPandasGive(string $name, string $json): void
    {
        $this->needsNumpy();
        $this->testItArrivesSensibly($name, $json);
    }

    /**
     * @return iterable<array{string, string}>
     */
    public static function ofLibraries(): iterable
    {
        yield ['numpy scalars', '[3,1.5,true,"2026-01-02",null]'];
        yield ['Timestamp', '["2026-01-02T03:04:05.250000+00:00","2026-01-02T00:00:00",null,null]'];
        yield ['Series', '[1.5,null]'];
        yield ['Series with an index', '{"x":1}'];
        yield ['DataFrame', '[{"name":"a","price":1.5},{"name":null,"price":null}]'];
    }

    public function testArraysOfAnySizeGoThereAndBack(): void
    {
        $this->needsNumpy();
        foreach ([3, 1_000, 100_000] as $rows) {
            $array = NdArray::fromBytes(str_repeat(pack('e2', 1.5, -2), $rows), 'float64', [$rows, 2]);
            $echoed = self::$client->call('Values.Echo', $array);
            self::assertInstanceOf(NdArray::class, $echoed);
            self::assertSame([$array->dtype, $array->shape, $array->bytes()], [$echoed->dtype, $echoed->shape, $echoed->bytes()]);
            self::assertInstanceOf(NdArray::class, $again = self::$client->call('Values.Echo', $echoed));
            self::assertSame($array->bytes(), $again->bytes());
            $later = self::$client->call('Values.Later', $array);
            self::assertIsArray($later);
            self::assertInstanceOf(NdArray::class, $later['twice']);
            self::assertSame(str_repeat(pack('e2', 3, -4), $rows), $later['twice']->bytes());
            $scaled = self::$client->call('Values.Scaled', [$echoed->slice(1), 2]);
            self::assertInstanceOf(NdArray::class, $scaled);
            self::assertSame(str_repeat(pack('e2', 3, -4), $rows - 1), $scaled->bytes());
        }
    }

    public function testColumnsOfATable(): void
    {
        $this->needsNumpy();
        $columns = self::$client->call('Values.Columns', 20_000);
        self::assertIsArray($columns);
        self::assertSame(['id', 'price', 'name'], array_keys($columns));
        self::assertInstanceOf(NdArray::class, $columns['id']);
        self::assertInstanceOf(NdArray::class, $columns['price']);
        self::assertSame([19_999, 1.5], [$columns['id'][19_999], $columns['price'][0]]);
        self::assertSame(array_fill(0, 20_000, 'x'), $columns['name']);
    }

    public function testATimeIsATimeAndNanIsNan(): void
    {
        self::assertInstanceOf(Time::class, self::$client->call('Values.Get', 'datetime'));
        self::assertSame([true, true], array_map(static fn (mixed $float): bool => is_float($float) && ! is_finite($float), (array) self::$client->call('Values.Get', 'nan')));
    }

    private function needsNumpy(): void
    {
        if (self::$client->call('Values.HasNumpy') !== true) {
            self::markTestSkipped('The interpreter has no numpy and pandas.');
        }
    }
}
