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
use Reasno\GoTask\Process\Supervision\Announcer;

/**
 * @internal
 */
#[CoversClass(Announcer::class)]
final class AnnouncerTest extends TestCase
{
    private string $address;

    private ScriptedProcess $process;

    private Announcer $announcer;

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
        $this->begin([WorkerState::Starting, WorkerState::Ready]);
        $this->launch();
        $this->runToItsEnd();
        $this->launch();

        self::assertSame(['starting', 'ready', 'starting after exit code 1', 'starting'], $this->announced);
    }

    public function testOneThatFailsStaysFailedUntilAStartSucceeds(): void
    {
        $this->begin([WorkerState::Starting], [WorkerState::Starting], [WorkerState::Starting, WorkerState::Ready]);
        $this->launch();
        $this->runToItsEnd();
        self::assertSame(['starting', 'failed'], $this->announced);
        $this->launch();
        $this->runToItsEnd();
        $this->launch();
        $this->runToItsEnd();

        self::assertSame(['starting', 'failed', 'failed', 'ready', 'starting after exit code 1'], $this->announced);
    }

    public function testAReloadIsSaidAndWhatBecameOfIt(): void
    {
        $this->begin(array_fill(0, 9, WorkerState::Ready));
        $file = new StatusFile($this->address);
        $said = static fn (): WorkerStatus => $file->read() ?? self::fail('nothing is said');
        $this->launch();
        $this->poll();
        $first = $said();
        self::assertEquals(new Generation(1, 1), $first->generation);
        foreach ([new Generation(1, 2), new Generation(1, 2, 'SyntaxError'), new Generation(1, 3), new Generation(3, 3)] as $generation) {
            $this->process->become($generation);
            $this->poll();
            self::assertEquals($generation, $said()->generation);
            self::assertSame(Availability::Ready, $said()->availability, 'calls are taken all the time');
            self::assertSame($first->launched, $said()->launched);
        }
        $this->runToItsEnd();
        self::assertEquals(new Generation(), $said()->generation, 'with its end all of them are gone');
        $this->launch();
        self::assertGreaterThan($first->launched, $said()->launched);
    }

    public function testAReloadOfOneThatRunsKeepsNobodyWaiting(): void
    {
        $this->begin([WorkerState::Ready, WorkerState::Ready]);
        $this->launch();
        $this->poll();
        $this->announcer->expect();

        self::assertTrue((new StatusFile($this->address))->available());
    }

    public function testAStartThatWasAskedForIsWorthWaitingFor(): void
    {
        $this->begin([WorkerState::Starting], [WorkerState::Starting, WorkerState::Ready]);
        $this->launch();
        $this->runToItsEnd();
        $this->announcer->expect();
        self::assertFalse((new StatusFile($this->address))->available());
    }

    public function testAStatusFileThatSomebodyDeletesIsWrittenAgain(): void
    {
        $this->begin(array_fill(0, 10_000, WorkerState::Ready));
        $file = new StatusFile($this->address);
        $this->launch();
        $this->poll();
        $file->remove();
        $until = hrtime(true) + 5_000_000_000;
        while ($file->isGone() && hrtime(true) < $until) {
            usleep(10_000);
            $this->poll();
        }

        self::assertTrue($file->available());
        $this->announcer->close();
        $this->poll();
        self::assertNull($file->read());
    }

    public function testOneThatWasToldToEndHasNotDied(): void
    {
        $this->begin([WorkerState::Ready]);
        $this->launch();
        $this->poll();
        $this->process->terminate();
        $this->runToItsEnd();
        $this->announcer->close();

        self::assertSame(['starting', 'ready'], $this->announced);
        self::assertNull((new StatusFile($this->address))->read());
    }

    /**
     * @param list<WorkerState> ...$runs
     */
    private function begin(array ...$runs): void
    {
        $this->process = new ScriptedProcess(new ExitStatus(1), static fn () => null, ...$runs);
        $this->announcer = new Announcer([$this->address], (int) getmypid(), function (WorkerStatus $status, ?ExitStatus $died): void {
            $this->announced[] = $status->availability->value . ($died === null ? '' : " after {$died->describe()}");
        });
    }

    private function launch(): void
    {
        $this->announcer->begin();
        $this->process->launch();
    }

    private function poll(): WorkerState
    {
        $state = $this->process->poll(0.1);
        $this->announcer->observe($this->process, $state, $this->process->asked !== []);

        return $state;
    }

    private function runToItsEnd(): void
    {
        while ($this->poll() !== WorkerState::Ended) {
            // it goes by itself
        }
    }
}
