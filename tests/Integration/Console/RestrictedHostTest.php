<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Console;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;

use function dirname;
use function sprintf;

/**
 * PHP as hosts restrict it, in processes of its own.
 */
#[CoversNothing]
final class RestrictedHostTest extends TestCase
{
    /** What lists on the web tell hosts to disable. */
    private const USUAL = 'exec,shell_exec,system,passthru,popen,posix_kill,posix_getpgid,posix_geteuid,posix_getppid,posix_get_last_error,'
        . 'pcntl_signal,pcntl_waitpid,pcntl_fork,pcntl_wifsignaled,getmypid,getmyuid,php_uname,putenv,ini_set,sys_getloadavg,phpversion,umask,set_time_limit,socket_create,glob';

    private const PROCESSES = 'proc_open,proc_get_status,proc_close,proc_terminate';

    private const CALL = <<<'PHP'
        require %s . '/vendor/autoload.php';
        $directory = __DIR__;
        $worker = new Reasno\GoTask\Process\WorkerProcess('tests/Integration/Process/Fixtures/app.py', workers: 1);
        $worker->start();
        echo 'hello ', (new Reasno\GoTask\Client($worker->address()))->call('App.hi', 'you')['hello'];
        try {
            (new Reasno\GoTask\Client('unix:///nowhere/x.sock'))->call('App.hi');
        } catch (Reasno\GoTask\Exception\ConnectFailed) {
        }
        $worker->stop();
        PHP;

    /**
     * @param list<string> $arguments
     */
    #[DataProvider('commands')]
    public function testACommandThatIsNotPossibleSaysWhatToDo(string $disabled, array $arguments, int $code, string $advice): void
    {
        [$exit, $output] = self::php(["-ddisable_functions={$disabled}", self::root() . '/bin/gotask', ...$arguments]);

        self::assertSame($code, $exit, $output);
        self::assertStringContainsString($advice, $output);
        self::assertStringNotContainsString('Fatal error', $output);
    }

    /**
     * @return iterable<string, array{string, list<string>, int, string}>
     */
    public static function commands(): iterable
    {
        $address = ['--address', 'unix://' . sys_get_temp_dir() . '/gotask-none/x.sock'];
        $processes = 'take proc_open and proc_get_status and proc_close out of disable_functions in php.ini';
        $all = self::USUAL . ',' . self::PROCESSES;
        yield 'doctor' => [$all, ['doctor', ...$address], 1, $processes];
        yield 'serve' => [$all, ['serve', __DIR__ . '/../Process/Fixtures/app.py', ...$address], 69, $processes];
        yield 'install' => [$all, ['install'], 1, $processes];
        yield 'call' => [self::USUAL . ',stream_socket_client', ['call', 'App.hi', ...$address], 3, 'Take stream_socket_client out of disable_functions'];
        yield 'reload' => [$all, ['reload', ...$address], 3, 'Cannot connect'];
    }

    public function testAWorkerRunsWithoutWhatIsUsuallyDisabled(): void
    {
        [$exit, $output] = self::php(['-ddisable_functions=' . self::USUAL, '-r', sprintf(self::CALL, var_export(self::root(), true))]);

        self::assertSame([0, 'hello you'], [$exit, $output]);
    }

    #[TestWith(['socket_recv,socket_send'])]
    #[TestWith(['socket_import_stream'])]
    public function testACallDoesWithoutThoseOfTheSocketsExtension(string $disabled): void
    {
        [$exit, $output] = self::php(["-ddisable_functions={$disabled}", '-r', sprintf(self::CALL, var_export(self::root(), true))]);

        self::assertSame([0, 'hello you'], [$exit, $output]);
    }

    public function testACallTakesNoFileOutsideOfOpenBasedir(): void
    {
        // As Hyperf makes exceptions of warnings.
        $throw = 'set_error_handler(fn ($level, $message) => error_reporting() & $level ? throw new ErrorException($message) : true);';
        [$exit, $output] = self::php(['-dopen_basedir=' . self::root(), '-r', sprintf($throw . self::CALL, var_export(self::root(), true))]);

        self::assertSame([0, 'hello you'], [$exit, $output]);
    }

    private static function root(): string
    {
        return dirname(__DIR__, 3);
    }

    /**
     * @param list<string> $arguments
     * @return array{int, string} exit code, and all that it wrote
     */
    private static function php(array $arguments): array
    {
        $process = proc_open([PHP_BINARY, '-ddisplay_errors=stderr', ...$arguments], [['file', '/dev/null', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes, self::root());
        self::assertIsResource($process);
        $output = stream_get_contents($pipes[1]) . stream_get_contents($pipes[2]);

        return [proc_close($process), $output];
    }
}
