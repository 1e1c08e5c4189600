<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Process\Child\LineReader;
use Reasno\GoTask\Process\Child\ManagedOutput;

use function count;
use function strlen;

/**
 * @internal
 */
#[CoversClass(ManagedOutput::class)]
#[CoversClass(LineReader::class)]
final class OutputTest extends TestCase
{
    public function testLinesAreTheSameHoweverTheirBytesArrive(): void
    {
        $text = "one\n\ntwo\r\nthree: ü\nrest";
        $whole = (new LineReader())->feed($text);
        $reader = new LineReader();
        $pieces = array_merge(...array_map($reader->feed(...), str_split($text)));

        self::assertSame(['one', '', 'two', 'three: ü'], $whole);
        self::assertSame($whole, $pieces);
        self::assertSame(['rest'], $reader->flush());
        self::assertSame([], $reader->flush());
    }

    public function testALineWithoutEndIsBounded(): void
    {
        $reader = new LineReader(limit: 10);

        self::assertSame([], $reader->feed('0123456789'));
        self::assertSame(['0123456789a'], $reader->feed('a'));
        self::assertSame(['b'], $reader->feed("b\n"));
    }

    public function testTheTailIsTheLastWholeLines(): void
    {
        $output = new ManagedOutput(new RecordingLogger(), static fn (array $event) => null);
        for ($number = 10_000; $number < 40_000; $number++) {
            $output->stderr("line {$number}\n");
        }
        $lines = explode("\n", $output->tail());

        self::assertSame(array_map(static fn (int $number): string => "line {$number}", range(40_000 - count($lines), 39_999)), $lines);
        self::assertCount(intdiv(65_536, strlen("line 10000\n")), $lines);
    }

    public function testRecordsKeepTheirLevelContextAndTraceback(): void
    {
        $logger = new RecordingLogger();
        $output = new ManagedOutput($logger, static fn (array $event) => null);
        foreach (['debug', 'info', 'warning', 'error', 'critical', 'unheard-of'] as $level) {
            $output->stdout(json_encode(['level' => $level, 'message' => 'm', 'logger' => 'app', 'context' => ['a' => 1]]) . "\n");
        }
        $output->stdout('{"level":"error","message":"boom","exception":"Traceback: …","time":1.5}' . "\n");

        self::assertSame(['debug', 'info', 'warning', 'error', 'critical', 'info', 'error'], array_column($logger->records, 'level'));
        self::assertSame(['a' => 1, 'logger' => 'app'], $logger->records[0]['context']);
        self::assertSame(['time' => 1.5, 'traceback' => 'Traceback: …'], $logger->records[6]['context']);
    }

    public function testTheStacksOfADeadWorkerAreShownAsATraceback(): void
    {
        $logger = new RecordingLogger();
        (new ManagedOutput($logger, static fn (array $event) => null))->stdout('{"level":"error","message":"dead","context":{"stack":"Current thread …","stderr":"x"}}' . "\n");

        self::assertSame(['stderr' => 'x', 'traceback' => 'Current thread …'], $logger->records[0]['context']);
    }

    public function testEventsAreHandedOverAndGarbageIsText(): void
    {
        $logger = new RecordingLogger();
        $events = [];
        $output = new ManagedOutput($logger, static function (array $event) use (&$events): void {
            $events[] = $event;
        });
        $output->release();
        $output->stdout('{"event":"rea');
        $output->stdout("dy\",\"pid\":7}\nhello\n[\n\xff\xfe\n");

        self::assertSame([['event' => 'ready', 'pid' => 7]], $events);
        self::assertSame(['notice: hello', 'notice: [', 'notice: ??'], $logger->lines());
    }

    public function testTextIsHeldBackUntilTheStartIsOver(): void
    {
        $logger = new RecordingLogger();
        $output = new ManagedOutput($logger, static fn (array $event) => null);
        $output->stderr("a warning\nand ");
        self::assertSame([], $logger->lines());

        $output->release();
        $output->stderr("another\nunfinished");
        $output->end();

        self::assertSame(['notice: a warning', 'notice: and another', 'notice: unfinished'], $logger->lines());
        self::assertSame("a warning\nand another\nunfinished", $output->tail());
    }

    public function testAnEventIsOneAlsoWhereSomethingElseHasBegunItsLine(): void
    {
        $events = [];
        $output = new ManagedOutput(new RecordingLogger(), static function (array $event) use (&$events): void {
            $events[] = $event['event'];
        });
        $output->stdout('Site set up.{"event": "missing", "packages": ["msgpack"]}' . "\n");
        $output->stdout('a {"event": no JSON' . "\n");
        self::assertSame(['missing'], $events);
    }

    public function testNoLineIsLostHoweverManyThereAreBeforeTheStartIsOver(): void
    {
        $logger = new RecordingLogger();
        $output = new ManagedOutput($logger, static fn (array $event) => null);
        $lines = array_map(static fn (int $number): string => "line {$number} " . str_repeat('x', 100), range(1, 5000));
        foreach (array_chunk($lines, 100) as $chunk) {
            $output->stderr(implode("\n", $chunk) . "\n");
        }
        $output->release();

        self::assertSame(array_map(static fn (string $line): string => "notice: {$line}", $lines), $logger->lines());
    }
}
