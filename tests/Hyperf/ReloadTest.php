<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Hyperf;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\Attributes\TestWith;

use function is_resource;

/**
 * New Python code in a server under load.
 *
 * @internal
 */
#[CoversNothing]
final class ReloadTest extends HyperfTestCase
{
    /** GOTASK_RELOADS=100 for the full number. */
    public function testNoRequestFailsHoweverOftenTheWorkerIsReloaded(): void
    {
        if (shell_exec('command -v ab') === null) {
            self::markTestSkipped('needs ab, of the Debian package apache2-utils');
        }
        $reloads = (int) (getenv('GOTASK_RELOADS') ?: 5);
        $this->app->publish();
        $this->edit('gotask/app.py', '"hello"', '"v1"');
        $this->app->start(['GOTASK_WORKERS' => '2']);
        self::assertSame(['v1' => 'Jo'], $this->json('/hi?name=Jo'));

        $load = proc_open(
            ['ab', '-k', '-l', '-c', '20', '-t', '3600', '-n', '10000000', "http://127.0.0.1:{$this->app->port}/hi?name=Jo"],
            [['file', '/dev/null', 'r'], ['file', $report = "{$this->app->directory}/ab.txt", 'w'], ['file', $report, 'a']],
            $pipes,
        );
        self::assertTrue(is_resource($load));
        for ($generation = 2; $generation <= $reloads + 1; $generation++) {
            $this->edit('gotask/app.py', '"v' . ($generation - 1) . '"', "\"v{$generation}\"");
            self::assertSame([0, "the code as it is now runs, generation {$generation}"], $this->app->console('gotask:reload'));
            self::assertSame(["v{$generation}" => 'Jo'], $this->json('/hi?name=Jo'));
        }
        self::assertTrue(proc_get_status($load)['running'], (string) file_get_contents($report));
        proc_terminate($load, SIGINT);
        proc_close($load);
        $report = (string) file_get_contents($report);
        self::assertSame(1, preg_match('/Complete requests:\s+(\d+)/', $report, $complete), $report);
        self::assertMatchesRegularExpression('/Failed requests:\s+0\n/', $report);
        self::assertStringNotContainsString('Non-2xx', $report);
        self::assertGreaterThan($reloads * 20, (int) $complete[1]);
        if (getenv('GOTASK_RELOADS') !== false) {
            fprintf(STDERR, "\n%d reloads, %d requests, 0 failed\n", $reloads, $complete[1]);
        }
    }

    #[TestWith([''])]
    #[TestWith(['listener'])]
    public function testAReloadOfTheServerReachesEveryManagedWorkerAndTheApplication(string $callback): void
    {
        $this->app->publish();
        $this->edit('config/autoload/gotask.php', "return [\n", "return [\n    'ml' => [],\n");
        $this->app->start(['RELOAD_CALLBACK' => $callback]);
        foreach (['default', 'ml'] as $worker) {
            self::assertSame(['hello' => 'Jo'], $this->json("/hi?name=Jo&worker={$worker}"));
        }

        $this->edit('gotask/app.py', '"hello"', '"hallo"');
        $this->app->signal(SIGUSR1);
        foreach (['default', 'ml'] as $worker) {
            Wait::until(fn (): bool => $this->app->get("/hi?name=Jo&worker={$worker}")[1] === '{"hallo":"Jo"}', 20.0, fn (): string => "{$worker}:\n{$this->app->log()}");
        }
        self::assertStringContainsString("BeforeReload {$callback}\n", (string) file_get_contents("{$this->app->directory}/events.txt"));
    }

    public function testAReloadAfterTheReleaseWasSwitchedLoadsTheNewOne(): void
    {
        $this->app->publish();
        $next = "{$this->app->directory}/next";
        $this->app->link = $link = "{$this->app->directory}/current";
        mkdir("{$next}/gotask", 0o777, true);
        $code = (string) file_get_contents("{$this->app->directory}/gotask/app.py");
        foreach (['' => '1', 'next/' => '2'] as $folder => $release) {
            // And what it opens by a relative path.
            $this->app->write("{$folder}gotask/app.py", str_replace('"hello": name', "\"code\": \"{$release}\", \"file\": open(\"release.txt\").read()", $code));
            $this->app->write("{$folder}release.txt", $release);
        }
        symlink($this->app->directory, $link);
        $this->app->start();
        self::assertSame(['code' => '1', 'file' => '1'], $this->json('/hi?name=Jo'));

        symlink($next, "{$link}.new");
        rename("{$link}.new", $link);
        $this->app->signal(SIGUSR1);
        Wait::until(fn (): bool => $this->app->get('/hi?name=Jo')[1] === '{"code":"2","file":"2"}', 20.0, $this->app->log(...));
        self::assertLessThan(5.0, $this->app->stop());
        self::assertSame([], $this->app->processes());
    }

    public function testCodeThatDoesNotStartLeavesTheOldOneAtWork(): void
    {
        $this->app->publish();
        $this->app->start();
        self::assertSame(['hello' => 'Jo'], $this->json('/hi?name=Jo'));

        $this->edit('gotask/app.py', 'class App:', 'class App(:');
        [$code, $output] = $this->app->console('gotask:reload');
        self::assertSame(1, $code);
        self::assertStringContainsString('its old code goes on', $output);
        self::assertStringContainsString('SyntaxError', $output);
        self::assertSame(['hello' => 'Jo'], $this->json('/hi?name=Jo'));
        self::assertStringContainsString('SyntaxError', $this->app->console('gotask:status')[1]);
        $events = (string) file_get_contents("{$this->app->directory}/events.txt");
        self::assertStringEndsWith("WorkerReady\nWorkerReloadFailed\n", $events);
    }
}
