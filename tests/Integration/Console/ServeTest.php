<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Console;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\RequiresOperatingSystemFamily;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Client;
use Reasno\GoTask\Console\Command\ServeCommand;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\Generation;
use Reasno\GoTask\Process\Status\StatusFile;
use Reasno\GoTask\Process\Status\UnixSocket;
use Reasno\GoTask\Tests\Integration\Process\Processes;

use function dirname;
use function is_resource;

/**
 * @internal
 */
#[CoversClass(ServeCommand::class)]
#[RequiresOperatingSystemFamily('Linux')]
#[RequiresPhpExtension('pcntl')]
final class ServeTest extends TestCase
{
    private const FIXTURES = __DIR__ . '/../Process/Fixtures';

    private string $address;

    private ?ChildProcess $serve = null;

    private string $output = '';

    private string $version = '';

    protected function setUp(): void
    {
        $this->address = UnixSocket::fresh();
    }

    protected function tearDown(): void
    {
        $this->serve?->kill();
        if ($this->version !== '') {
            exec('rm -r ' . escapeshellarg(dirname($this->version)));
        }
        UnixSocket::removeDirectory($this->address);
    }

    #[TestWith([SIGTERM])]
    #[TestWith([SIGINT])]
    public function testServesUntilASignal(int $signal): void
    {
        $this->serve('app.py');
        $this->await('ready at');
        self::assertSame(['hello' => 'you'], (new Client($this->address))->call('App.Hi', 'you'));
        $pids = Processes::tree($this->serve->pid ?? 0);

        $this->serve?->signal($signal);

        self::assertSame(0, $this->exitCode());
        self::assertSame([], Processes::survivors($pids, 0.5));
        self::assertFileDoesNotExist((string) UnixSocket::path($this->address));
    }

    public function testAnEmptyVariableIsOneThatIsNotSet(): void
    {
        $names = ['KEY', 'KEY_FILE', 'WORKERS', 'START_TIMEOUT', 'SHUTDOWN_TIMEOUT', 'ADDRESS', 'TLS_CA', 'MAX_PAYLOAD', 'LOG_LEVEL', 'WATCH'];
        $this->serve = ChildProcess::start(
            [PHP_BINARY, __DIR__ . '/../../../bin/gotask', 'serve', self::file('app.py'), '--address', $this->address],
            null,
            array_fill_keys(array_map(static fn (string $name): string => "GOTASK_{$name}", $names), '') + getenv(),
        );
        $this->await('ready at');
        $this->serve?->signal(SIGTERM);

        self::assertSame(0, $this->exitCode());
    }

    public function testASignalIsHeededAlsoWhereNobodyReadsTheLog(): void
    {
        $this->serve('app.py');
        $this->await('ready at');
        $task = new Client($this->address);
        for ($record = 0; $record < 40; $record++) {
            $task->call('App.Log', ['warning', str_repeat('x', 40_000)]);
        }
        $pids = Processes::tree($this->serve->pid ?? 0);
        $this->serve?->signal(SIGTERM);

        self::assertSame([], Processes::survivors($pids, 10.0));
        self::assertSame(0, $this->exitCode());
    }

    public function testAReloadBringsTheCodeAsItIsNow(): void
    {
        $this->serve($this->app('1'));
        $this->await('ready at');
        $task = new Client($this->address);
        self::assertSame('1', $task->call('App.version'));

        file_put_contents($this->version, '2');
        self::assertSame([0, "the code as it is now runs, generation 2\n", ''], $this->gotask('reload'));
        self::assertSame('2', $task->call('App.version'));
        $status = (new StatusFile($this->address))->read();
        self::assertEquals([Availability::Ready, new Generation(2, 2)], [$status?->availability, $status?->generation]);

        file_put_contents($this->version, 'broken');
        [$code, $stdout, $stderr] = $this->gotask('reload', '--json');
        self::assertSame([1, ''], [$code, $stderr]);
        self::assertStringContainsString('RuntimeError: this version is broken', $stdout);
        self::assertSame('2', $task->call('App.version'));
        self::assertStringContainsString('this version is broken', $this->gotask('status')[1]);
        self::assertStringContainsString('this version is broken', (new StatusFile($this->address))->read()->generation->failure ?? '');

        file_put_contents($this->version, '4');
        self::assertSame([0, "{\"generation\":4}\n", ''], $this->gotask('reload', '--json'));
        self::assertSame('4', $task->call('App.version'));
    }

    public function testAFileThatChangesIsLoadedWhereItIsWatched(): void
    {
        $app = $this->app('1');
        $this->serve($app, '--watch');
        $this->await('ready at');
        file_put_contents($this->version, '2');
        touch(self::file($app), time() + 10);
        $this->await('calls run its code as it is now');

        self::assertSame('2', (new Client($this->address))->call('App.version'));
    }

    public function testAWatchedAppWhoseFirstStartFailsIsBackAsSoonAsAFileChanges(): void
    {
        $app = $this->app('broken');
        $this->serve($app, '--watch');
        $this->await('the next start is in');
        file_put_contents($this->version, '2');
        touch($app, time() + 10);
        $this->await('ready at');

        self::assertSame('2', (new Client($this->address))->call('App.version'));
        self::assertStringNotContainsString('the next start is in 8 seconds', $this->output);
    }

    public function testAReloadOfWhatCannotStartTriesAtOnce(): void
    {
        $this->serve($this->app('1'));
        $this->await('ready at');
        file_put_contents($this->version, 'broken');
        posix_kill(Processes::tree($this->serve->pid ?? 0)[1], SIGKILL);
        $this->await('the next start is in 4 seconds');
        file_put_contents($this->version, '2');

        self::assertSame([0, "the code as it is now runs, generation 1\n", ''], $this->gotask('reload'));
        self::assertSame('2', (new Client($this->address))->call('App.version'));
    }

    public function testCallsThatRunAreFinishedFirst(): void
    {
        $this->serve('app.py');
        $this->await('ready at');
        $task = new Client($this->address);
        $task->call('App.Hi', 'you');
        $sleeping = $task->callAsync('App.Sleep', 0.4);
        usleep(100_000);
        $this->serve?->signal(SIGTERM);

        self::assertIsInt($sleeping->await());
        self::assertSame(0, $this->exitCode());
    }

    public function testAKilledBrokerIsReplaced(): void
    {
        $this->serve('app.py');
        $this->await('ready at');
        $broker = Processes::tree($this->serve->pid ?? 0)[1];
        $killed = microtime(true);
        posix_kill($broker, SIGKILL);
        $this->await('signal 9 (SIGKILL); it is started again');
        $task = new Client($this->address);
        do {
            try {
                $answer = $task->call('App.Hi', 'again', 1.0);
            } catch (GoTaskException $failure) {
                $answer = null;
                $this->read();
            }
        } while ($answer === null && microtime(true) < $killed + 20);

        self::assertSame(['hello' => 'again'], $answer, isset($failure) ? $failure->getMessage() : '');
    }

    public function testCallersWaitForAWorkerThatIsBeingStarted(): void
    {
        $status = UnixSocket::path($this->address) . '.status';
        $this->serve('app.py');
        $deadline = microtime(true) + 5;
        while (! is_file($status) && microtime(true) < $deadline) {
            usleep(1_000);
            clearstatcache(true, $status);
        }
        $task = new Client($this->address);
        self::assertSame(['hello' => 'early'], $task->call('App.Hi', 'early', 5.0));
        $this->await('ready at');
        posix_kill(Processes::tree($this->serve->pid ?? 0)[1], SIGKILL);
        $this->await('it is started again');
        self::assertSame(['hello' => 'again'], $task->call('App.Hi', 'again', 5.0));

        $this->serve?->signal(SIGTERM);
        self::assertSame(0, $this->exitCode());
        self::assertFileDoesNotExist($status);
    }

    public function testNothingIsLeftWhenItIsKilled(): void
    {
        $this->serve('app.py');
        $this->await('ready at');
        $pids = Processes::tree($this->serve->pid ?? 0);
        $this->serve?->signal(SIGKILL);

        self::assertSame([], Processes::survivors($pids, 5.0));
        self::assertFileDoesNotExist((string) UnixSocket::path($this->address));
    }

    #[TestWith(['broken.py', 70, 'this app does not import'])]
    #[TestWith(['nothing.py', 66, 'does not exist'])]
    public function testAnAppThatNeverWorkedEndsIt(string $app, int $code, string $message): void
    {
        $this->serve($app);

        self::assertSame($code, $this->exitCode());
        self::assertStringContainsString($message, $this->output);
    }

    public function testItEndsSoAlsoWhereWhoeverStartsItIgnoresTheEndOfChildren(): void
    {
        $ignoring = 'pcntl_signal(SIGCHLD, SIG_IGN); pcntl_exec(PHP_BINARY, array_slice($argv, 1));';
        $gotask = [__DIR__ . '/../../../bin/gotask', 'serve', 'nothing.py', '--address', $this->address];
        $this->serve = ChildProcess::start([PHP_BINARY, '-r', $ignoring, '--', ...$gotask]);

        self::assertSame(66, $this->exitCode(), $this->output);
    }

    public function testUnknownUseEndsIt(): void
    {
        $this->serve('app.py', '--workers', 'many');

        self::assertSame(2, $this->exitCode());
        self::assertStringContainsString("--workers takes a whole number, not 'many'", $this->output);
    }

    public function testTheWorkersLogIsShownAtItsOwnLevel(): void
    {
        $this->serve('app.py', '--json');
        $this->await('ready at');
        (new Client($this->address))->call('App.Log', ['warning', 'watch out']);
        $this->await('watch out');

        self::assertMatchesRegularExpression('/^\{.*"level":"warning","message":"watch out"/m', $this->output);
    }

    private function serve(string $app, string ...$options): void
    {
        $this->serve = ChildProcess::start(
            [PHP_BINARY, __DIR__ . '/../../../bin/gotask', 'serve', self::file($app), '--address', $this->address, '--workers', '1', ...array_values($options)],
        );
    }

    private static function file(string $app): string
    {
        return $app[0] === '/' ? $app : self::FIXTURES . "/{$app}";
    }

    /**
     * @return string a copy of the app that says its version, which stands in a file
     */
    private function app(string $version): string
    {
        $directory = dirname((string) UnixSocket::path($this->address)) . '/app';
        $this->version = "{$directory}/version";
        mkdir($directory, 0o700, true);
        file_put_contents($this->version, $version);
        copy(self::FIXTURES . '/versions.py', "{$directory}/app.py");

        return "{$directory}/app.py";
    }

    /**
     * @return array{int, string, string} exit code, standard output, standard error
     */
    private function gotask(string $command, string ...$options): array
    {
        $process = proc_open(
            [PHP_BINARY, __DIR__ . '/../../../bin/gotask', $command, '--address', $this->address, ...array_values($options)],
            [['file', '/dev/null', 'r'], ['pipe', 'w'], ['pipe', 'w']],
            $pipes,
        );
        self::assertIsResource($process);
        // The supervisor must not wait for a reader of its log.
        while (($status = proc_get_status($process))['running']) {
            $this->read();
        }
        $said = array_map(static fn (mixed $pipe): string => is_resource($pipe) ? (string) stream_get_contents($pipe) : '', $pipes);

        return [$status['exitcode'], $said[1], $said[2]];
    }

    private function await(string $text): void
    {
        $until = microtime(true) + 10;
        while (! str_contains($this->output, $text)) {
            self::assertTrue($this->serve?->isRunning() && microtime(true) < $until, "'{$text}' was awaited in:\n{$this->output}");
            $this->read();
        }
    }

    private function read(): void
    {
        $this->output .= implode('', $this->serve?->read(0.02) ?? []);
    }

    private function exitCode(): ?int
    {
        $until = microtime(true) + 10;
        while ($this->serve?->isRunning() && microtime(true) < $until) {
            $this->read();
        }
        $this->read();

        return $this->serve?->exit()?->code;
    }
}
