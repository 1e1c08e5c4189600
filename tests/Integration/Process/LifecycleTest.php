<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Process;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\RequiresOperatingSystemFamily;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Status\UnixSocket;
use Reasno\GoTask\Process\WorkerProcess;

use function dirname;

/**
 * Against the real broker: what is left when something ends, and what is said when it does not start.
 *
 * @internal
 */
#[CoversClass(WorkerProcess::class)]
#[RequiresOperatingSystemFamily('Linux')]
final class LifecycleTest extends TestCase
{
    private const APP = __DIR__ . '/Fixtures/app.py';

    public function testAStoppedWorkerLeavesNothing(): void
    {
        $worker = new WorkerProcess(self::APP, workers: 2);
        $worker->start();
        $path = (string) UnixSocket::path($worker->address());
        $pids = Processes::tree((int) $worker->pid());

        self::assertCount(3, $pids);
        self::assertSame('socket', filetype($path));
        self::assertSame(0o700, fileperms(dirname($path)) & 0o777);
        self::assertSame(0o600, fileperms($path) & 0o777);

        $worker->stop();

        self::assertSame(0, $worker->exit()?->code);
        self::assertSame([], Processes::survivors($pids, 0.0));
        self::assertDirectoryDoesNotExist(dirname($path));
    }

    #[TestWith(['sleep', SIGKILL])]
    #[TestWith(['fatal', null])]
    #[TestWith(['exit', null])]
    public function testNothingIsLeftHoweverTheProgramEnds(string $how, ?int $signal): void
    {
        $pipes = [];
        $program = proc_open(
            [PHP_BINARY, '-d', 'memory_limit=64M', '-d', 'display_errors=0', __DIR__ . '/Fixtures/program.php', $how],
            [1 => ['pipe', 'w'], 2 => ['file', '/dev/null', 'w']],
            $pipes,
        );
        self::assertIsResource($program);
        $said = json_decode((string) fgets($pipes[1]), true);
        self::assertIsArray($said);
        self::assertIsInt($said['pid']);
        self::assertIsString($said['address']);
        $pids = Processes::tree($said['pid']);
        if ($signal !== null) {
            proc_terminate($program, $signal);
        }

        self::assertSame([], Processes::survivors($pids, 5.0));
        self::assertDirectoryDoesNotExist(dirname((string) UnixSocket::path($said['address'])));
        proc_close($program);
    }

    #[RequiresPhpExtension('swoole')]
    public function testAnUncaughtExceptionOfACoroutineIsTheLastWordAndLeavesNothing(): void
    {
        $program = proc_open([PHP_BINARY, '-d', 'display_errors=stderr', '-d', 'log_errors=0', __DIR__ . '/Fixtures/program.php', 'coroutine'], [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes);
        self::assertIsResource($program);
        $said = json_decode((string) fgets($pipes[1]), true);
        self::assertIsArray($said);
        self::assertIsInt($said['pid']);
        $errors = (string) stream_get_contents($pipes[2]);
        proc_close($program);
        self::assertStringContainsString('Nobody catches this.', $errors);
        self::assertSame(1, preg_match_all('/Fatal error: +Uncaught/', $errors), $errors);
        self::assertSame([], Processes::survivors([$said['pid']], 5.0));
    }

    public function testAKilledBrokerTakesItsWorkersAlongAndLeavesNoSocket(): void
    {
        $worker = new WorkerProcess(self::APP, workers: 2);
        $worker->start();
        $path = (string) UnixSocket::path($worker->address());
        $pids = Processes::tree((int) $worker->pid());
        posix_kill($pids[0], SIGKILL);

        self::assertTrue($worker->wait(2.0));
        self::assertSame([], Processes::survivors($pids, 5.0));
        self::assertDirectoryDoesNotExist(dirname($path));

        $worker->start();
        self::assertTrue($worker->isRunning());
    }

    public function testAnAppThatDoesNotImportIsReportedWithItsTraceback(): void
    {
        $worker = new WorkerProcess(__DIR__ . '/Fixtures/broken.py', workers: 2);
        try {
            $worker->start();
            self::fail('it did start');
        } catch (WorkerStartFailed $failure) {
            self::assertStringContainsString('RuntimeError: this app does not import', $failure->getMessage());
            self::assertSame(ExitStatus::APP_FAILED, $worker->exit()?->code);
        }
    }

    public function testAnAppThatDoesNotExistIsReported(): void
    {
        $worker = new WorkerProcess('no/such/app.py');

        $this->expectException(WorkerStartFailed::class);
        $this->expectExceptionMessageMatches('~no/such/app\.py does not exist~');
        $worker->start();
    }

    public function testAnAddressInUseIsReported(): void
    {
        $first = new WorkerProcess(self::APP, workers: 1);
        $first->start();
        $second = new WorkerProcess(self::APP, $first->address(), workers: 1);
        try {
            $second->start();
            self::fail('it did start');
        } catch (WorkerStartFailed $failure) {
            self::assertStringContainsString('another broker', $failure->getMessage());
            self::assertSame(ExitStatus::ADDRESS_UNUSABLE, $second->exit()?->code);
        }
        self::assertTrue($first->isRunning());
    }

    public function testASocketPathThatIsTooLongIsRefusedBeforeAnythingStarts(): void
    {
        $this->expectExceptionMessageMatches('/at most 106/');
        new WorkerProcess(self::APP, 'unix:///tmp/' . str_repeat('x', 110));
    }
}
