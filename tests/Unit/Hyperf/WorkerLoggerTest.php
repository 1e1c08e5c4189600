<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Hyperf;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Hyperf\WorkerLogger;
use Reasno\GoTask\Tests\Unit\Process\RecordingLogger;

/**
 * @internal
 */
#[CoversClass(WorkerLogger::class)]
final class WorkerLoggerTest extends TestCase
{
    private RecordingLogger $channel;

    private RecordingLogger $console;

    protected function setUp(): void
    {
        $this->channel = new RecordingLogger();
        $this->console = new RecordingLogger();
    }

    public function testRecordsKeepTheirLevelAndContext(): void
    {
        $this->logger()->warning('slow', ['logger' => 'app.images', 'milliseconds' => 12]);

        self::assertSame(['warning: slow'], $this->channel->lines());
        self::assertSame(['worker' => 'ml', 'logger' => 'app.images', 'milliseconds' => 12], $this->channel->records[0]['context']);
        self::assertSame([], $this->console->lines());
    }

    public function testTheWorkersOwnLifeIsSeenOnTheConsole(): void
    {
        $this->logger()->info('ready', ['logger' => 'gotask']);

        self::assertSame(['info: [gotask.ml] ready'], $this->console->lines());
    }

    public function testWhatItPrintsIsSeenThere(): void
    {
        $this->logger()->notice('loading the model', ['logger' => 'stderr']);

        self::assertSame(['notice: [gotask.ml] loading the model'], $this->console->lines());
        self::assertSame(['notice: loading the model'], $this->channel->lines());
    }

    public function testAnErrorIsSeenThereWithItsTracebackAsOneRecord(): void
    {
        $this->logger()->error('it failed', ['logger' => 'app', 'traceback' => "Traceback:\n  x\n", 'fields' => ['a' => 1]]);

        self::assertSame(["error: [gotask.ml] app it failed\nTraceback:\n  x"], $this->console->lines());
        self::assertSame([], $this->console->records[0]['context']);
        self::assertCount(1, $this->channel->records);
    }

    public function testWithoutAChannelEverythingGoesToTheConsole(): void
    {
        (new WorkerLogger('ml', null, $this->console))->debug('x', ['logger' => 'app']);

        self::assertSame(['debug: [gotask.ml] app x'], $this->console->lines());
    }

    private function logger(): WorkerLogger
    {
        return new WorkerLogger('ml', $this->channel, $this->console);
    }
}
