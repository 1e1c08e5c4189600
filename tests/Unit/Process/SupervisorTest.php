<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use Closure;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Child\WorkerState;
use Reasno\GoTask\Process\Supervision\FileWatch;
use Reasno\GoTask\Process\Supervision\Supervisor;

use function count;
use function in_array;

/**
 * @internal
 */
#[CoversClass(Supervisor::class)]
#[CoversClass(FileWatch::class)]
final class SupervisorTest extends TestCase
{
    private RecordingLogger $logger;

    private Supervisor $supervisor;

    protected function setUp(): void
    {
        $this->logger = new RecordingLogger();
    }

    public function testRestartsAWorkerThatDiesAndSaysHow(): void
    {
        $process = new ScriptedProcess(new ExitStatus(null, 9), $this->stopAt(launch: 3), [WorkerState::Starting, WorkerState::Ready]);
        $this->run_($process);

        self::assertCount(3, $process->launches);
        self::assertSame('error: the Python worker ended with signal 9 (SIGKILL); it is started again', $this->logger->lines()[0]);
    }

    public function testBacksOffWhereItKeepsEndingAndNeverStopsTrying(): void
    {
        $process = new ScriptedProcess(new ExitStatus(1), $this->stopAt(launch: 40), [WorkerState::Starting]);
        $this->run_($process);

        self::assertCount(40, $process->launches);
        self::assertLessThan(2.0, $process->launches[4]);
        self::assertEqualsWithDelta(30.0, $process->launches[39] - $process->launches[38], 1.0);
        self::assertContains('warning: the next start is in 30 seconds', $this->logger->lines());
        self::assertCount(34, array_keys(array_column($this->logger->records, 'level'), 'critical', true));
    }

    public function testALongRunIsFollowedByAStartWithoutDelay(): void
    {
        $long = [WorkerState::Starting, ...array_fill(0, 150, WorkerState::Ready)];
        $process = new ScriptedProcess(new ExitStatus(1), $this->stopAt(launch: 30), $long);
        $this->run_($process);

        self::assertCount(30, $process->launches);
        self::assertSame([], array_filter($this->logger->lines(), static fn (string $line) => str_contains($line, 'seconds')));
    }

    public function testAnAppThatDoesNotImportEndsTheFirstStart(): void
    {
        $process = new ScriptedProcess(new ExitStatus(ExitStatus::APP_FAILED), $this->stopAt(launch: 5), [WorkerState::Starting]);

        $this->expectException(WorkerStartFailed::class);
        $this->run_($process);
    }

    public function testAPatientSupervisorGoesOnAfterIt(): void
    {
        $process = new ScriptedProcess(new ExitStatus(ExitStatus::APP_FAILED), $this->stopAt(launch: 5), [WorkerState::Starting]);
        $this->run_($process, patient: true);

        self::assertCount(5, $process->launches);
    }

    public function testAnAppThatNoLongerImportsIsTriedAgain(): void
    {
        $process = new ScriptedProcess(
            new ExitStatus(ExitStatus::APP_FAILED),
            $this->stopAt(launch: 5),
            [WorkerState::Starting, WorkerState::Ready],
            [WorkerState::Starting],
        );
        $this->run_($process);

        self::assertCount(5, $process->launches);
    }

    public function testAFirstStartThatFailsByChanceIsTriedAgain(): void
    {
        $process = new ScriptedProcess(new ExitStatus(null, 11), $this->stopAt(launch: 2), [WorkerState::Starting]);
        $this->run_($process);

        self::assertCount(2, $process->launches);
    }

    public function testStopDrainsAndASecondStopEndsAtOnce(): void
    {
        $polls = 0;
        $process = new ScriptedProcess(
            new ExitStatus(0),
            function () use (&$polls): void {
                if (in_array(++$polls, [3, 4], true)) {
                    $this->supervisor->stop();
                }
            },
            array_fill(0, 100, WorkerState::Ready),
        );
        $this->run_($process);

        self::assertSame(['terminate', 'kill'], $process->asked);
        self::assertCount(1, $process->launches);
        self::assertSame([], $this->logger->lines());
    }

    public function testAStartThatAnotherOneWontMendIsNotTriedAgainAtOnce(): void
    {
        $process = new ScriptedProcess(new ExitStatus(ExitStatus::APP_FAILED), $this->stopAt(launch: 3), [WorkerState::Starting]);
        $this->run_($process, patient: true);

        self::assertGreaterThan(1.0, $process->launches[1] - $process->launches[0]);
        self::assertSame([
            "critical: it did not start\nIt is tried again for ever.",
            'warning: the next start is in 2 seconds',
            'critical: the Python worker keeps ending the same way: 2 times so far. It is tried again for ever.',
            'warning: the next start is in 4 seconds',
        ], $this->logger->lines());
    }

    public function testAWatchedAppThatDidNotStartIsStartedAgainWhenItChanges(): void
    {
        $folder = sys_get_temp_dir() . '/watched-' . bin2hex(random_bytes(4));
        mkdir("{$folder}/vendor", 0o700, true);
        mkdir("{$folder}/lib");
        touch("{$folder}/lib/broken.py");
        $process = new ScriptedProcess(new ExitStatus(ExitStatus::APP_FAILED), $this->stopAt(launch: 6), [WorkerState::Starting]);
        $pauses = 0;
        try {
            $this->run_($process, patient: true, sleep: static function (float $seconds) use ($process, $folder, &$pauses): void {
                $process->now += $seconds;
                touch("{$folder}/vendor/other.py");
                touch("{$folder}/app.txt");
                if (++$pauses === 170) {
                    file_put_contents("{$folder}/lib/broken.py", 'mended = True');
                }
            }, watch: new FileWatch('app.py', $folder));
        } finally {
            exec('rm -r ' . escapeshellarg($folder));
        }

        // The pauses are 2, 4, 8 and 16 s, and the fourth ends early: 140 looks, then 30 more.
        $pause = $process->launches[4] - $process->launches[3];
        self::assertGreaterThan(2.9, $pause);
        self::assertLessThan(4.0, $pause);
        self::assertContains('info: the app has changed and is started again', $this->logger->lines());
        self::assertLessThan(3.0, $process->launches[5] - $process->launches[4], 'and the pauses begin anew');
    }

    public function testAReloadIsPassedOnToAWorkerThatIsReady(): void
    {
        $process = new ScriptedProcess(
            new ExitStatus(0),
            function (ScriptedProcess $process): void {
                if ($process->now > 0.35 && $process->asked === []) {
                    $this->supervisor->reload();
                } elseif ($process->now > 0.65) {
                    $this->supervisor->stop();
                }
            },
            array_fill(0, 10, WorkerState::Ready),
        );
        $this->run_($process);

        self::assertSame('reload', $process->asked[0]);
        self::assertSame(1, array_count_values($process->asked)['reload']);
        self::assertCount(1, $process->launches, 'and nothing is started again');
        self::assertSame([], $this->logger->lines());
    }

    public function testAReloadOfAWorkerThatStartsComesOnceItIsReady(): void
    {
        $readyAt = 0.0;
        $process = new ScriptedProcess(
            new ExitStatus(0),
            function (ScriptedProcess $process) use (&$readyAt): void {
                if ($process->now < 0.15) {
                    $this->supervisor->reload();
                } elseif ($process->asked !== []) {
                    $readyAt = $readyAt ?: $process->now;
                    $this->supervisor->stop();
                }
            },
            [...array_fill(0, 5, WorkerState::Starting), ...array_fill(0, 5, WorkerState::Ready)],
        );
        $this->run_($process);

        self::assertSame('reload', $process->asked[0]);
        self::assertGreaterThan(0.55, $readyAt);
    }

    public function testAReloadEndsAWaitForTheNextStart(): void
    {
        $process = new ScriptedProcess(new ExitStatus(ExitStatus::APP_FAILED), $this->stopAt(launch: 2), [WorkerState::Starting]);
        $this->run_($process, patient: true, sleep: function (float $seconds) use ($process): void {
            $process->now += $seconds;
            $this->supervisor->reload();
        });

        self::assertLessThan(1.0, $process->launches[1]);
        self::assertNotContains('reload', $process->asked, 'what is started then has the code as it is');
    }

    public function testStopEndsAWaitForTheNextStart(): void
    {
        $process = new ScriptedProcess(new ExitStatus(1), static fn () => null, [WorkerState::Starting]);
        $slept = 0.0;
        $this->run_($process, sleep: function (float $seconds) use ($process, &$slept): void {
            $process->now += $seconds;
            $slept += $seconds;
            if ($slept > 0.55) {
                $this->supervisor->stop();
            }
        });

        self::assertCount(5, $process->launches);
        self::assertLessThan(0.75, $slept);
    }

    /**
     * @return Closure(ScriptedProcess): void
     */
    private function stopAt(int $launch): Closure
    {
        return function (ScriptedProcess $process) use ($launch): void {
            if (count($process->launches) === $launch) {
                $this->supervisor->stop();
            }
        };
    }

    /**
     * @param null|Closure(float): void $sleep
     */
    private function run_(ScriptedProcess $process, bool $patient = false, ?Closure $sleep = null, ?FileWatch $watch = null): void
    {
        $this->supervisor = new Supervisor(
            $process,
            $this->logger,
            patient: $patient,
            clock: static fn (): float => $process->now,
            sleep: $sleep ?? static function (float $seconds) use ($process): void {
                $process->now += $seconds;
            },
            watch: $watch,
        );
        $this->supervisor->run();
    }
}
