<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Console;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Console\ConsoleLogger;
use Reasno\GoTask\Console\LogStream;
use Symfony\Component\Console\Output\StreamOutput;

use function count;
use function is_resource;

#[CoversClass(LogStream::class)]
#[CoversClass(ConsoleLogger::class)]
final class LogStreamTest extends TestCase
{
    public function testWhatNobodyReadsIsKeptThenDroppedAndCounted(): void
    {
        [$reader, $writer] = self::pair();
        $logger = new ConsoleLogger(new StreamOutput($writer), json: true);
        $written = 3000;
        for ($number = 0; $number < $written; $number++) {
            $logger->info(str_repeat('x', 1000), ['number' => $number]);
        }
        $lines = [];
        while (($more = (string) fread($reader, 8192)) !== '') {
            $lines[] = $more;
            $logger->flush();
        }
        $logger->info('the last');
        $lines = explode("\n", trim(implode('', $lines) . fread($reader, 65536)));

        $records = array_map(static fn (string $line): mixed => json_decode($line, true), $lines);
        self::assertNotContains(null, $records, 'no line is cut');
        self::assertGreaterThan(900, count($records));
        $dropped = $written + 2 - count($records);
        self::assertStringContainsString("\"{$dropped} log records were dropped here, since nobody read the output", implode("\n", $lines));
        self::assertStringContainsString('"the last"', end($lines) ?: '');
    }

    public function testAReaderThatIsGoneEndsNothing(): void
    {
        [$reader, $writer] = self::pair();
        fclose($reader);
        $logger = new ConsoleLogger(new StreamOutput($writer));
        $logger->info('one');
        $logger->info('two');
        self::assertFalse(is_resource($reader));
    }

    public function testTheLastWordsAreWaitedForNoLongerThanThat(): void
    {
        [$reader, $writer] = self::pair();
        $stream = new LogStream($writer);
        $stream->write(str_repeat('x', 1_000_000) . "\n");
        $started = hrtime(true);
        $stream->flush(0.05);
        self::assertGreaterThan(0.04, (hrtime(true) - $started) / 1e9);
        fclose($reader);
    }

    /**
     * @return array{resource, resource}
     */
    private static function pair(): array
    {
        $pair = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        self::assertNotFalse($pair);
        stream_set_blocking($pair[0], false);

        return [$pair[0], $pair[1]];
    }
}
