<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Hyperf;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Exception\WorkerStartFailed;

use function dirname;
use function in_array;

/**
 * What goes wrong costs what it must, is said once, and is mended without a restart of the server.
 *
 * @internal
 */
#[CoversNothing]
final class FailureTest extends HyperfTestCase
{
    public function testAnAppThatDoesNotImport(): void
    {
        $this->app->publish();
        $this->edit('gotask/app.py', 'class App:', 'class App(:');
        $this->app->start();

        // The first caller waits for the outcome of the start, the others need not.
        $first = $this->json('/reason');
        self::assertSame(WorkerStartFailed::class, $first['class']);
        self::assertIsString($first['message']);
        self::assertStringContainsString('SyntaxError', $first['message']);
        $start = microtime(true);
        self::assertSame($first, $this->json('/reason'));
        self::assertLessThan(10.0, microtime(true) - $start);
        self::assertSame(['hello' => 'bare'], $this->json('/bare'));

        usleep(3_000_000);
        self::assertSame(1, substr_count($this->app->log(), 'SyntaxError'), 'said once');
        self::assertLessThan(4, substr_count($this->events(), 'WorkerFailing'), 'no storm of starts');

        $this->edit('gotask/app.py', 'class App(:', 'class App:');
        [$code, $output] = $this->app->console('gotask:reload');
        self::assertSame(0, $code);
        // 2 where the worker's own next try came between the two lines above.
        self::assertMatchesRegularExpression('/^the code as it is now runs, generation [12]$/D', $output);
        self::assertSame(['hello' => 'Jo'], $this->json('/hi?name=Jo'));
    }

    public function testWhereAnUncaughtExceptionComesFromInPythonIsLoggedOnce(): void
    {
        $this->app->publish();
        $this->edit('gotask/app.py', 'return {"hello": name}', 'raise ValueError("<info>no</info>")');
        $this->app->start();

        self::assertSame(['caught' => true], $this->json('/fail?caught=1'));
        self::assertStringNotContainsString('ValueError', $this->app->log(), 'who catches it says so himself');
        self::assertSame(500, $this->app->get('/fail')[0]);
        $log = $this->app->log();
        self::assertMatchesRegularExpression('~ERROR\] no greeting\[\d+\] in .+~', $log);
        self::assertMatchesRegularExpression('~ERROR\] Python, in App.Hi:\nTraceback .+\n  File ".+/gotask/app.py", line \d+, in hi\n.+\n(.*\^+\n)?ValueError: <info>no</info>~', $log);
        self::assertSame(1, substr_count($log, 'ValueError: '));
    }

    /**
     * @param array<string, string> $environment
     */
    #[TestWith([['GOTASK_PYTHON' => '/nonexistent/python3'], "/nonexistent/python3 can't be run"])]
    #[TestWith([['GOTASK_APP' => 'gotask/other.py'], 'other.py does not exist'])]
    #[TestWith([['GOTASK_ADDRESS' => 'unix:///tmp/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'], 'can have at most 106'])]
    #[TestWith([['GOTASK_ADDRESS' => 'unix:///proc/gotask/x.sock'], "can't be used"])]
    public function testASettingThatCannotWork(array $environment, string $reason): void
    {
        $this->app->publish();
        $this->app->start($environment);

        self::assertStringContainsString($reason, (string) json_encode($this->json('/reason'), JSON_UNESCAPED_SLASHES));
        self::assertSame(['hello' => 'bare'], $this->json('/bare'));
        // Callers may learn it a moment before it is logged; and it is logged once, however often it is tried.
        Wait::until(fn (): bool => str_contains($this->app->log(), $reason), 20.0);
        self::assertSame(1, substr_count($this->app->log(), $reason));
        self::assertLessThan(5.0, $this->app->stop());
    }

    public function testAWatchedAppThatDidNotImportIsBackWhenItIsMended(): void
    {
        $this->app->publish();
        $this->edit('gotask/app.py', 'class App:', 'class App(:');
        $this->app->start(['GOTASK_WATCH' => '1']);
        self::assertSame(WorkerStartFailed::class, $this->json('/reason')['class']);

        $this->edit('gotask/app.py', 'class App(:', 'class App:');
        Wait::until(fn (): bool => $this->app->get('/hi?name=Jo')[0] === 200, 20.0, $this->app->log(...));
        self::assertStringContainsString('the app has changed', $this->app->log());
    }

    public function testARuntimeFolderThatIsRemovedCostsNoRequest(): void
    {
        $this->app->publish();
        $this->app->start();
        $this->json('/hi?name=Jo');
        exec('rm -rf ' . escapeshellarg("{$this->app->directory}/runtime"));

        $socket = "{$this->app->directory}/runtime/gotask/default.sock";
        Wait::until(function () use ($socket): bool {
            self::assertSame(['hello' => 'Jo'], $this->json('/hi?name=Jo'));

            return file_exists($socket);
        }, 20.0, $this->app->log(...));
        // Who looks for it anew finds it, and its supervisor.
        self::assertSame([0, '{"hello":"Jo"}'], $this->app->console('gotask:call', 'App.Hi', '"Jo"', '--json'));
        $reload = [3, ''];
        Wait::until(function () use (&$reload): bool {
            $reload = $this->app->console('gotask:reload');

            return $reload[0] === 0;
        }, 20.0, static function () use (&$reload): string {
            return $reload[1];
        });
    }

    public function testAPhpThatSeesTheProjectAlone(): void
    {
        $this->app->publish();
        $visible = "{$this->app->directory}:" . dirname(__DIR__, 2);
        $this->app->start(['GOTASK_PYTHON' => ''], '-d', "open_basedir={$visible}");

        self::assertSame(['hello' => 'Jo'], $this->json('/hi?name=Jo'));
        [$code, $output] = $this->app->run('-d', "open_basedir={$visible}", 'bin/hyperf.php', 'gotask:doctor');
        self::assertStringContainsString('a worker is ready', $output);
        self::assertSame(0, $code, $output);
        [$code, $output] = $this->app->run('-d', "open_basedir={$visible}", 'bin/hyperf.php', 'gotask:reload');
        self::assertSame(0, $code, $output);
        $this->app->stop();
        self::assertStringNotContainsString('open_basedir', $this->app->log());
        $this->assertCleanLog();
    }

    public function testAPhpThatMayStartNoProcesses(): void
    {
        $this->app->publish();
        $forbidden = 'disable_functions=proc_open,proc_get_status,proc_terminate,proc_close,exec,shell_exec,system,passthru,popen,posix_kill,getmyuid';
        $this->app->start([], '-d', $forbidden);

        $advice = 'out of disable_functions in php.ini';
        $reason = $this->json('/reason');
        self::assertSame(WorkerStartFailed::class, $reason['class']);
        self::assertIsString($reason['message']);
        self::assertStringContainsString($advice, $reason['message']);
        Wait::until(fn (): bool => str_contains($this->app->log(), $advice), 20.0);
        self::assertSame(1, substr_count($this->app->log(), $advice));
        [$code, $output] = $this->app->run('-d', $forbidden, 'bin/hyperf.php', 'gotask:doctor');
        self::assertSame(1, $code);
        self::assertStringContainsString($advice, $output);
    }

    public function testAPortThatIsTaken(): void
    {
        $other = stream_socket_server('tcp://127.0.0.1:0');
        self::assertIsResource($other);
        $this->app->publish();
        $this->app->start(['GOTASK_ADDRESS' => 'tcp://' . stream_socket_get_name($other, false)]);

        self::assertStringContainsString('another program listens there', (string) json_encode($this->json('/reason')));
    }

    #[TestWith(['gotask/app.py --managed'])]
    #[TestWith(['--worker'])]
    #[TestWith(['skeleton.gotask-default'])]
    public function testWhatIsKilledIsBack(string $victim): void
    {
        $this->app->publish();
        $this->app->start();
        $this->json('/hi?name=Jo');

        $pid = $this->app->find($victim);
        self::assertGreaterThan(0, $pid);
        posix_kill($pid, SIGKILL);
        Wait::until(fn (): bool => $this->app->get('/hi?name=Jo')[0] === 200 && ! in_array($this->app->find($victim), [0, $pid], true), 20.0, $this->app->log(...));
        self::assertLessThan(5.0, $this->app->stop());
        self::assertSame([], $this->app->processes());
    }

    public function testEventsTellOfIt(): void
    {
        $this->app->publish();
        $this->app->start();
        $this->json('/hi?name=Jo');
        posix_kill($this->app->find('gotask/app.py --managed'), SIGKILL);
        Wait::until(fn (): bool => str_ends_with($this->events(), "WorkerDied\nWorkerStarting\nWorkerReady\n"), 20.0, $this->events(...));
    }

    public function testNothingIsLeftOfAServerThatIsKilled(): void
    {
        $this->app->publish();
        $this->app->start();
        $this->json('/hi?name=Jo');
        $this->app->signal(SIGKILL);

        Wait::until(fn (): bool => $this->app->processes() === [], 20.0, fn (): string => implode("\n", $this->app->processes()));
        self::assertSame([], glob("{$this->app->directory}/runtime/gotask/*.sock"));
    }

    #[TestWith(["'console' =>", "'consol' =>", 'gotask.default.consol'])]
    #[TestWith(["env('GOTASK_WORKERS')", "'two'", 'gotask.default.workers'])]
    public function testAWrongKeyEndsTheStartAndIsNamed(string $search, string $replace, string $key): void
    {
        $this->app->publish();
        $this->edit('config/autoload/gotask.php', $search, $replace);

        [$code, $output] = $this->app->console('start');
        self::assertSame(1, $code);
        self::assertStringContainsString($key, $output);
        [$code, $output] = $this->app->console('gotask:doctor');
        self::assertSame(1, $code);
        self::assertStringContainsString($key, $output);
    }

    private function events(): string
    {
        return (string) @file_get_contents("{$this->app->directory}/events.txt");
    }
}
