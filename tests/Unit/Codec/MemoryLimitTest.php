<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Codec\MessagePackExtension;

use function proc_close;
use function proc_open;
use function stream_get_contents;

use const PHP_BINARY;

/**
 * What decodes to more than memory_limit allows is an error: in processes of their own, since exceeding it ends PHP.
 *
 * @internal
 */
final class MemoryLimitTest extends TestCase
{
    #[DataProvider('bodies')]
    public function testWhatDoesNotFitIsAnErrorAndWhatDoesIsDecoded(string $codec, string $unit, int $count, string $expected): void
    {
        if ($codec === 'extension' && ! MessagePackExtension::isUsable()) {
            self::markTestSkipped('ext-msgpack can\'t be used.');
        }
        $command = [PHP_BINARY, '-d', 'memory_limit=64M', __DIR__ . '/Fixtures/within-memory.php', $codec, $unit, (string) $count];
        $process = proc_open($command, [1 => ['pipe', 'w']], $pipes);
        self::assertIsResource($process);
        self::assertIsResource($pipes[1] ?? null);
        $said = (string) stream_get_contents($pipes[1]);
        self::assertSame(0, proc_close($process), $said);
        self::assertStringContainsString($expected, $said);
    }

    /**
     * @return iterable<string, array{string, string, int, string}>
     */
    public static function bodies(): iterable
    {
        $refused = "PHP's memory_limit of 64M";
        foreach (['extension', 'php'] as $codec) {
            yield "{$codec}: lists of one" => [$codec, '9100', 600_000, $refused];
            yield "{$codec}: maps of one" => [$codec, '81a16100', 300_000, $refused];
            yield "{$codec}: lists in lists" => [$codec, '91919100', 300_000, $refused];
            yield "{$codec}: numbers" => [$codec, '01', 3_000_000, $refused];
            yield "{$codec}: strings" => [$codec, 'a3616263', 900_000, $refused];
            yield "{$codec}: lists that fit" => [$codec, '9100', 100_000, '100000'];
            yield "{$codec}: maps that fit" => [$codec, '81a16100', 80_000, '80000'];
            yield "{$codec}: numbers that fit" => [$codec, '01', 1_000_000, '1000000'];
            yield "{$codec}: texts that look like lists and fit" => [$codec, 'b093939393939393939393939393939393', 200_000, '200000'];
        }
        yield 'an error' => ['error', '[0]', 600_000, '0'];
        yield 'an error that fits' => ['error', '[0]', 1_000, '1000'];
    }
}
