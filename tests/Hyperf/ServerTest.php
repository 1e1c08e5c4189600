<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Hyperf;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\Attributes\TestWith;

/**
 * What someone gets: publish, start, call, stop.
 *
 * @internal
 */
#[CoversNothing]
final class ServerTest extends HyperfTestCase
{
    private const BASE = 1;

    private const PROCESS = 2;

    #[TestWith([self::BASE])]
    #[TestWith([self::PROCESS])]
    public function testTheWorkerStartsAndEndsWithTheServer(int $mode): void
    {
        self::assertStringContainsString('publishes [config] successfully', $this->app->publish());
        $this->edit('config/autoload/gotask.php', "'observers' => []", "'observers' => [\\Reasno\\GoTask\\Observing\\Events::class]");
        $this->app->start(['SERVER_MODE' => $mode]);

        // The first request comes while Python starts, and waits for it.
        self::assertSame(['hello' => ['Swoole is Awesome,', 'So is Python!']], $this->json('/'));
        self::assertStringContainsString("CallEnded\n", (string) file_get_contents("{$this->app->directory}/events.txt"));
        self::assertGreaterThan(0, $this->app->find('gotask-default'));
        self::assertGreaterThan(0, $this->app->find('gotask/app.py --managed'));

        self::assertLessThan(5.0, $this->app->stop());
        self::assertSame([], $this->app->processes());
        self::assertSame([], glob("{$this->app->directory}/runtime/gotask/*"));
        $this->assertCleanLog();
    }

    /** What systemd does unless it is told otherwise. In process mode Swoole answers no request once it is told to end. */
    public function testASignalToAllProcessesAtOnceCutsOffNoCall(): void
    {
        $this->app->publish();
        $this->edit('gotask/app.py', '        return', "        import time\n        print('begun', flush=True)\n        time.sleep(0.5)\n        return");
        $this->app->start(['SERVER_MODE' => self::BASE, 'GOTASK_WORKERS' => '3']);
        $this->json('/hi?name=Jo');
        $connections = [];
        for ($i = 0; $i < 3; $i++) {
            $connection = stream_socket_client("tcp://127.0.0.1:{$this->app->port}");
            self::assertIsResource($connection);
            $connections[] = $connection;
            fwrite($connection, "GET /hi?name=n{$i} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        }
        Wait::until(fn (): bool => substr_count($this->app->log(), 'begun') === 4, 20.0, $this->app->log(...));
        foreach (array_keys($this->app->processes()) as $pid) {
            posix_kill($pid, SIGTERM);
        }

        foreach ($connections as $i => $connection) {
            self::assertIsResource($connection);
            self::assertStringEndsWith("{\"hello\":\"n{$i}\"}", (string) stream_get_contents($connection), $this->app->log());
        }
        $this->app->wait();
        Wait::until(fn (): bool => $this->app->processes() === [], 20.0, fn (): string => implode("\n", $this->app->processes()));
    }

    public function testAServerOfCoroutines(): void
    {
        $this->app->publish();
        $this->app->start(['SERVER_MODE' => 0]);
        self::assertSame(['hello' => 'Jo'], $this->json('/hi?name=Jo'));

        $this->app->stop();
        Wait::until(fn (): bool => $this->app->processes() === [], 20.0);
    }

    public function testManyWorkersByTheirNames(): void
    {
        $this->app->publish();
        $this->edit('config/autoload/gotask.php', "return [\n", "return [\n    'ml' => ['address' => 'unix://runtime/gotask/ml.sock'],\n");
        $this->app->start();

        self::assertSame(
            ['attribute' => "unix://{$this->app->directory}/runtime/gotask/ml.sock", 'factory' => true, 'default' => true, 'health' => ['ml' => null, 'default' => null]],
            $this->json('/workers'),
        );
        self::assertLessThan(5.0, $this->app->stop());
        $this->assertCleanLog();
    }

    public function testAServiceOfTheContainerIsCalledBackWithinItsRequest(): void
    {
        $this->app->publish();
        $this->edit('config/autoload/gotask.php', "'services' => []", "'services' => ['Request' => App\\Service\\RequestService::class]");
        $this->edit('gotask/app.py', '        return {', "        return {\"hello\": name}\n\n    async def back(self):\n        return await gotask.current_call().php.call('Request.name')\n\n    def other(self, name):\n        return {");
        $this->app->start();
        $connections = [];
        for ($i = 0; $i < 20; $i++) {
            $connection = stream_socket_client("tcp://127.0.0.1:{$this->app->port}");
            self::assertIsResource($connection);
            $connections[] = $connection;
            fwrite($connection, "GET /back?name=n{$i} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        }
        foreach ($connections as $i => $connection) {
            self::assertIsResource($connection);
            self::assertStringEndsWith("[\"n{$i}\",\"n{$i}\",\"n{$i}\"]", (string) stream_get_contents($connection), $this->app->log());
        }
        $this->assertCleanLog();
    }

    public function testAReloadOfTheServerBringsNewPythonCode(): void
    {
        $this->app->publish();
        $this->app->start();
        self::assertSame(['hello' => 'Jo'], $this->json('/hi?name=Jo'));

        $this->edit('gotask/app.py', '"hello"', '"hallo"');
        $this->app->signal(SIGUSR1);
        Wait::until(fn (): bool => $this->app->get('/hi?name=Jo')[1] === '{"hallo":"Jo"}', 20.0);
    }

    #[TestWith([self::BASE])]
    #[TestWith([self::PROCESS])]
    public function testCallsSurviveThatHttpWorkersAreReplaced(int $mode): void
    {
        $this->app->publish();
        $this->app->start(['SERVER_MODE' => $mode, 'MAX_REQUEST' => 20]);
        for ($i = 0; $i < 200; $i++) {
            self::assertSame(['hello' => "n{$i}"], $this->json("/hi?name=n{$i}"));
        }
    }

    public function testPythonsLogReachesHyperfs(): void
    {
        $this->app->publish();
        $this->edit('gotask/app.py', '        return', "        import logging\n        logging.getLogger('app.greeter').warning('greeted %s', name, extra={'guests': 2})\n        return");
        $this->app->start();
        $this->json('/hi?name=Jo');

        $log = fn (): string => (string) file_get_contents("{$this->app->directory}/runtime/logs/hyperf.log");
        Wait::until(static fn (): bool => str_contains($log(), 'greeted'), 20.0);
        self::assertMatchesRegularExpression('/gotask\.WARNING: greeted Jo \{.*"guests":2.*"logger":"app.greeter"/', $log());
    }
}
