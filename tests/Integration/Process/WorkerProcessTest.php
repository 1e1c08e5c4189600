<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Process;

use ArrayObject;
use ErrorException;
use LogicException;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Child\BrokerProcess;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Child\InterpreterFinder;
use Reasno\GoTask\Process\Child\WorkerState;
use Reasno\GoTask\Process\WorkerProcess;
use Reasno\GoTask\Tests\Unit\Process\RecordingLogger;
use ReflectionClass;
use Swoole\Coroutine;
use Swoole\Runtime;

use function count;
use function strlen;

/**
 * Against a double of the broker whose behaviour is named by the app.
 *
 * @internal
 */
#[CoversClass(WorkerProcess::class)]
#[CoversClass(BrokerProcess::class)]
#[CoversClass(ChildProcess::class)]
#[RequiresPhpExtension('pcntl')]
#[RequiresPhpExtension('posix')]
final class WorkerProcessTest extends TestCase
{
    private const PYTHON = __DIR__ . '/Fixtures/python';

    private RecordingLogger $logger;

    protected function setUp(): void
    {
        $this->logger = new RecordingLogger();
    }

    public function testAnErrorHandlerThatHeedsNoSuppressionChangesNothing(): void
    {
        set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
            throw new ErrorException($message, 0, $level, $file, $line);
        });
        pcntl_async_signals(true);
        pcntl_signal(SIGALRM, static fn () => null);

        try {
            $worker = $this->worker('ready');
            $worker->start();
            pcntl_alarm(1);
            $until = hrtime(true) + 1_200_000_000;
            while (hrtime(true) < $until) {
                $worker->poll(1.0);
            }
            self::assertTrue($worker->isRunning());
            $worker->stop();
        } finally {
            pcntl_signal(SIGALRM, SIG_DFL);
            restore_error_handler();
        }
    }

    public function testStartsAndStops(): void
    {
        $worker = $this->worker('ready');
        self::assertFalse($worker->isRunning());
        self::assertNull($worker->pid());

        $worker->start();
        $pid = $worker->pid();
        self::assertNotNull($pid);
        self::assertTrue($worker->isRunning());
        self::assertStringStartsWith('unix:///', $worker->address());
        $worker->start();
        self::assertSame($pid, $worker->pid(), 'starting it again leaves it as it is');

        $worker->stop();
        self::assertGone($pid);
        self::assertFalse($worker->isRunning());
        self::assertSame(0, $worker->exit()?->code);
        $worker->stop();
    }

    public function testStartsAgainAtAnotherPrivateAddress(): void
    {
        $worker = $this->worker('ready');
        $worker->start();
        [$pid, $address] = [$worker->pid(), $worker->address()];
        $worker->stop();
        $worker->start();

        self::assertNotSame($pid, $worker->pid());
        self::assertNotSame($address, $worker->address());
    }

    public function testEndsWithTheObject(): void
    {
        $worker = $this->worker('ready');
        $worker->start();
        $pid = (int) $worker->pid();
        unset($worker);

        self::assertGone($pid);
    }

    public function testAnAppThatDoesNotImportIsReportedInPythonsWords(): void
    {
        $failure = $this->failure($this->worker('fails'));

        self::assertStringContainsString('fails did not start: app.py could not be started: SyntaxError', $failure->getMessage());
    }

    public function testAnEndWithoutAWordCarriesStandardError(): void
    {
        $failure = $this->failure($worker = $this->worker('dies'));

        self::assertStringContainsString('it ended with exit code 3', $failure->getMessage());
        self::assertSame("Traceback (most recent call last):\nValueError: no", $failure->stderr);
        self::assertSame(3, $worker->exit()?->code);
        self::assertSame([], $this->logger->lines(), 'what the exception carries is not logged as well');
    }

    public function testOneThatIsNeverReadyIsGivenUpInTime(): void
    {
        $started = microtime(true);
        $failure = $this->failure($worker = $this->worker('never-ready', startTimeout: 2.0));

        self::assertLessThan(10.0, microtime(true) - $started);
        self::assertStringContainsString('not ready within 2 seconds', $failure->getMessage());
        self::assertStringContainsString('still importing', $failure->getMessage());
        self::assertFalse($worker->isRunning());
    }

    public function testTheTimeOfTheAppCountsFromWhenItIsLoadedSoThatTheBrokerCanSayWhatWasSlow(): void
    {
        $failure = $this->failure($this->worker('slow-before-and-after', startTimeout: 3.0));

        self::assertStringContainsString('it was here: app.py, line 5', $failure->getMessage());
    }

    public function testOneThatHeedsNoSignalIsKilled(): void
    {
        $worker = $this->worker('stubborn', shutdownTimeout: 0.1);
        $worker->start();
        $pid = (int) $worker->pid();
        $started = microtime(true);
        $worker->stop();

        self::assertGone($pid);
        self::assertSame(9, $worker->exit()?->signal);
        self::assertLessThan(9.0, microtime(true) - $started);
    }

    public function testADeathIsSeen(): void
    {
        $worker = $this->worker('crashes');
        $worker->start();

        self::assertTrue($worker->wait(5.0));
        self::assertSame('signal 9 (SIGKILL)', $worker->exit()?->describe());
        self::assertNull($worker->failure(), 'it had been ready');
    }

    public function testWaitingIsBounded(): void
    {
        $worker = $this->worker('ready');
        $worker->start();

        self::assertFalse($worker->wait(0.01));
    }

    public function testWhatItWritesReachesTheLogger(): void
    {
        $worker = $this->worker('talks');
        $worker->start();
        $worker->wait(5.0);

        // What comes on the two streams is in order on each, but not between them.
        $stderr = ['notice: before it is ready', 'notice: printed', 'notice: unfinished'];
        self::assertSame($stderr, array_values(array_intersect($this->logger->lines(), $stderr)));
        self::assertSame([
            'notice: neither event nor record ?', 'notice: [1,2', 'info: ready',
            'debug: a debug', 'info: a info', 'warning: a warning', 'error: a error', 'critical: a critical',
        ], array_values(array_diff($this->logger->lines(), $stderr)));
    }

    #[TestWith(['floods'])]
    #[TestWith(['floods-ready'])]
    public function testMuchOutputNeitherBlocksNorFillsMemory(string $behaviour): void
    {
        $worker = $this->worker($behaviour);
        if ($behaviour === 'floods') {
            $this->failure($worker);
        } else {
            $worker->start();
            $until = microtime(true) + 5;
            while (! str_ends_with($worker->stderr(), 'the last line') && microtime(true) < $until) {
                $worker->poll(0.1);
            }
        }

        self::assertStringEndsWith('the last line', $worker->stderr());
        self::assertLessThanOrEqual(65_536, strlen($worker->stderr()));
    }

    public function testTheNextInterpreterIsTriedWhereOneIsUnfit(): void
    {
        // Whoever runs the tests may have named an interpreter, which would be the only one.
        putenv('GOTASK_PYTHON');

        $project = $this->project(['.venv' => 'missing', 'venv' => 'ready']);
        $worker = new WorkerProcess('app.py', workingDirectory: $project, logger: $this->logger);
        $worker->start();

        self::assertTrue($worker->isRunning());
        self::assertSame(
            "{$project}/venv/bin/python",
            (new InterpreterFinder(null, $project))->candidates()[0],
            'what worked is remembered',
        );
    }

    public function testWhereNoneFitsTheErrorNamesEachAndTheCommandThatMendsIt(): void
    {
        $failure = $this->failure($this->worker('missing'));

        self::assertStringContainsString('(/real/python3) (Python 3.11.7) lacks msgpack: /real/python3 -m pip install msgpack', $failure->getMessage());
    }

    public function testAnInterpreterThatDoesNotExistIsSaid(): void
    {
        $failure = $this->failure($worker = new WorkerProcess('app.py', python: '/no/such/python'));

        self::assertStringContainsString("/no/such/python can't be run", $failure->getMessage());
        self::assertSame(ExitStatus::PYTHON_UNUSABLE, $worker->exit()?->code);
    }

    public function testAWorkingDirectoryThatDoesNotExistIsSaid(): void
    {
        $worker = new WorkerProcess('app.py', python: self::PYTHON, workingDirectory: '/no/such/folder');

        self::assertStringContainsString('/no/such/folder', $this->failure($worker)->getMessage());
    }

    public function testAForkedChildDoesNotStopItsParentsWorker(): void
    {
        $worker = $this->worker('ready');
        $worker->start();
        $child = pcntl_fork();
        if ($child === 0) {
            $worker->stop();
            $worker->kill();
            $worker->__destruct();
            posix_kill(posix_getpid(), SIGKILL);
        }
        pcntl_waitpid($child, $status);

        self::assertFalse($worker->wait(0.05));
    }

    public function testItIsNeitherClonedNorSerialized(): void
    {
        $worker = $this->worker('ready');
        self::assertFalse((new ReflectionClass($worker))->isCloneable());

        $this->expectException(LogicException::class);
        serialize($worker);
    }

    public function testTimeoutsAreChecked(): void
    {
        $this->expectExceptionMessage('the start timeout must be above 0');
        new WorkerProcess('app.py', startTimeout: 0.0);
    }

    public function testPollingSaysWhereItIs(): void
    {
        $worker = $this->worker('ready');
        self::assertSame(WorkerState::Ended, $worker->poll(0.0));
        $worker->launch();
        self::assertSame(WorkerState::Ready, $worker->poll(5.0));
        $worker->terminate();
        self::assertSame(WorkerState::Ended, $worker->poll(5.0));
    }

    #[RequiresPhpExtension('swoole')]
    public function testOtherCoroutinesRunMeanwhile(): void
    {
        Runtime::enableCoroutine(SWOOLE_HOOK_ALL);
        $turns = 0;
        \Swoole\Coroutine\run(function () use (&$turns): void {
            /** @var ArrayObject<int, bool> $ended */
            $ended = new ArrayObject();
            Coroutine::create(static function () use (&$turns, $ended): void {
                while (count($ended) === 0) {
                    $turns++;
                    Coroutine::sleep(0.005);
                }
            });
            $this->failure($this->worker('never-ready', startTimeout: 2.0));
            $worker = $this->worker('ready');
            $worker->start();
            self::assertTrue($worker->isRunning());
            $worker->stop();
            self::assertSame(0, $worker->exit()?->code);
            $ended[] = true;
        });
        Runtime::enableCoroutine(0);

        self::assertGreaterThan(30, $turns);
    }

    private function worker(string $behaviour, float $startTimeout = 5.0, float $shutdownTimeout = 5.0): WorkerProcess
    {
        return new WorkerProcess(
            $behaviour,
            python: self::PYTHON,
            startTimeout: $startTimeout,
            shutdownTimeout: $shutdownTimeout,
            logger: $this->logger,
        );
    }

    private function failure(WorkerProcess $worker): WorkerStartFailed
    {
        try {
            $worker->start();
        } catch (WorkerStartFailed $failure) {
            return $failure;
        }
        self::fail('it did start');
    }

    /**
     * A folder with virtual environments whose interpreters behave as said, whatever the app.
     *
     * @param array<string, string> $environments
     */
    private function project(array $environments): string
    {
        $project = sys_get_temp_dir() . '/project-' . bin2hex(random_bytes(4));
        foreach ($environments as $name => $behaviour) {
            mkdir("{$project}/{$name}/bin", recursive: true);
            file_put_contents("{$project}/{$name}/bin/python", "#!/bin/sh\nexec '" . self::PYTHON . "' main {$behaviour}\n");
            chmod("{$project}/{$name}/bin/python", 0o755);
        }
        register_shutdown_function(static fn () => exec('rm -r ' . escapeshellarg($project)));

        return $project;
    }

    private static function assertGone(int $pid): void
    {
        self::assertFalse(posix_kill($pid, 0), "process {$pid} is still there");
    }
}
