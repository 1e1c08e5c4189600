<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Child\WorkerState;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\Generation;
use Reasno\GoTask\Process\Status\StatusFile;
use Reasno\GoTask\Process\Status\WorkerStatus;
use Reasno\GoTask\Process\Supervision\AnnouncedWorker;

/**
 * @internal
 */
#[CoversClass(AnnouncedWorker::class)]
final class AnnouncedWorkerTest extends TestCase
{
    private string $address;

    /** @var list<string> */
    private array $announced = [];

    protected function setUp(): void
    {
        $this->address = 'unix://' . sys_get_temp_dir() . '/gotask-test-' . bin2hex(random_bytes(6)) . '.sock';
    }

    protected function tearDown(): void
    {
        (new StatusFile($this->address))->remove();
    }

    public function testItIsStartingThenReadyAndWhenItDiesStartingAgain(): void
    {
        $worker = $this->worker([WorkerState::Starting, WorkerState::Ready]);
        $this->run_($worker);
        $worker->launch();

        self::assertSame(['starting', 'ready', 'starting after exit code 1', 'starting'], $this->announced);
    }

    public function testOneThatFailsStaysFailedUntilAStartSucceeds(): void
    {
        $worker = $this->worker([WorkerState::Starting], [WorkerState::Starting], [WorkerState::Starting, WorkerState::Ready]);
        $this->run_($worker);
        self::assertSame(['starting', 'failed'], $this->announced);
        $this->run_($worker);
        $this->run_($worker);

        self::assertSame(['starting', 'failed', 'failed', 'ready', 'starting after exit code 1'], $this->announced);
    }

    public function testAReloadIsSaidAndWhatBecameOfIt(): void
    {
        $process = new ScriptedProcess(new ExitStatus(1), static fn () => null, array_fill(0, 9, WorkerState::Ready));
        $worker = new AnnouncedWorker($process, [$this->address], (int) getmypid());
        $file = new StatusFile($this->address);
        $said = static fn (): WorkerStatus => $file->read() ?? self::fail('nothing is said');
        $worker->launch();
        $worker->poll(0.1);
        $first = $said();
        self::assertEquals(new Generation(1, 1), $first->generation);
        foreach ([new Generation(1, 2), new Generation(1, 2, 'SyntaxError'), new Generation(1, 3), new Generation(3, 3)] as $generation) {
            $process->become($generation);
            $worker->poll(0.1);
            self::assertEquals($generation, $said()->generation);
            self::assertSame(Availability::Ready, $said()->availability, 'calls are taken all the time');
            self::assertSame($first->launched, $said()->launched);
        }
        while ($worker->poll(0.1) !== WorkerState::Ended) {
            // it goes by itself
        }
        self::assertEquals(new Generation(), $said()->generation, 'with its end all of them are gone');
        $worker->launch();
        self::assertGreaterThan($first->launched, $said()->launched);
    }

    public function testAReloadOfOneThatRunsKeepsNobodyWaiting(): void
    {
        $worker = $this->worker([WorkerState::Ready, WorkerState::Ready]);
        $worker->launch();
        $worker->poll(0.1);
        $worker->expect();

        self::assertTrue((new StatusFile($this->address))->available());
    }

    public function testAStartThatWasAskedForIsWorthWaitingFor(): void
    {
        $worker = $this->worker([WorkerState::Starting], [WorkerState::Starting, WorkerState::Ready]);
        $this->run_($worker);
        $worker->expect();
        self::assertFalse((new StatusFile($this->address))->available());
    }

    public function testAStatusFileThatSomebodyDeletesIsWrittenAgain(): void
    {
        $process = new ScriptedProcess(new ExitStatus(1), static fn () => null, array_fill(0, 10_000, WorkerState::Ready));
        $worker = new AnnouncedWorker($process, [$this->address], (int) getmypid());
        $file = new StatusFile($this->address);
        $worker->launch();
        $worker->poll(0.1);
        $file->remove();
        $until = hrtime(true) + 5_000_000_000;
        while ($file->isGone() && hrtime(true) < $until) {
            usleep(10_000);
            $worker->poll(0.0);
        }

        self::assertTrue($file->available());
        $worker->close();
        $worker->poll(0.0);
        self::assertNull($file->read());
    }

    public function testOneThatWasToldToEndHasNotDied(): void
    {
        $worker = $this->worker([WorkerState::Ready]);
        $worker->launch();
        $worker->poll(0.1);
        $worker->terminate();
        while ($worker->poll(0.1) !== WorkerState::Ended) {
            // it goes by itself
        }
        $worker->close();

        self::assertSame(['starting', 'ready'], $this->announced);
        self::assertNull((new StatusFile($this->address))->read());
    }

    /**
     * @param list<WorkerState> ...$runs
     */
    private function worker(array ...$runs): AnnouncedWorker
    {
        $process = new ScriptedProcess(new ExitStatus(1), static fn () => null, ...$runs);

        return new AnnouncedWorker($process, [$this->address], (int) getmypid(), function (WorkerStatus $status, ?ExitStatus $died): void {
            $this->announced[] = $status->availability->value . ($died === null ? '' : " after {$died->describe()}");
        });
    }

    private function run_(AnnouncedWorker $worker): void
    {
        $worker->launch();
        while ($worker->poll(0.1) !== WorkerState::Ended) {
            // it goes by itself
        }
    }
}
