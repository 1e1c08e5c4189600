<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Process;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Child\BrokerProcess;
use Reasno\GoTask\Process\Status\Generation;
use Reasno\GoTask\Process\WorkerProcess;

use function bin2hex;
use function dirname;
use function is_array;

/**
 * New code without a failed call.
 *
 * @internal
 */
#[CoversClass(WorkerProcess::class)]
#[CoversClass(BrokerProcess::class)]
#[CoversClass(Generation::class)]
final class ReloadTest extends TestCase
{
    private string $version;

    private ?WorkerProcess $worker = null;

    protected function setUp(): void
    {
        $this->version = (string) tempnam(sys_get_temp_dir(), 'gotask');
        $this->become('1');
    }

    protected function tearDown(): void
    {
        $this->worker?->stop();
        unlink($this->version);
    }

    public function testTheCodeAsItIsNowRunsOnceReloadReturns(): void
    {
        $worker = $this->worker();
        $task = new Client($worker->address());
        self::assertSame('1', $task->call('App.version'));
        $this->become('2');
        self::assertSame('1', $task->call('App.version'), 'nothing happens by itself');

        self::assertSame(2, $worker->reload());
        foreach (['App.version', 'Own.version'] as $method) {
            self::assertSame('2', $task->call($method));
        }
    }

    public function testTheReleaseThatALinkLeadsToNowRuns(): void
    {
        $folder = dirname($this->version) . '/gotask-releases-' . bin2hex(random_bytes(6));
        foreach (['1', '2'] as $release) {
            mkdir("{$folder}/{$release}", recursive: true);
            file_put_contents("{$folder}/{$release}/app.py", "import gotask\n\n@gotask.register\ndef version(): return '{$release}'\n");
        }
        symlink("{$folder}/1", "{$folder}/current");

        try {
            $this->worker = new WorkerProcess('app.py', workers: 1, workingDirectory: "{$folder}/current");
            $this->worker->start();
            $task = new Client($this->worker->address());
            self::assertSame('1', $task->call('version'));
            symlink("{$folder}/2", "{$folder}/new");
            rename("{$folder}/new", "{$folder}/current");
            $this->worker->reload();
            self::assertSame('2', $task->call('version'));
        } finally {
            exec('rm -rf ' . escapeshellarg($folder));
        }
    }

    public function testCodeThatDoesNotStartLeavesTheOldOneAtWork(): void
    {
        $worker = $this->worker();
        $task = new Client($worker->address());
        $this->become('broken');
        try {
            $worker->reload();
            self::fail('it was loaded');
        } catch (WorkerStartFailed $failure) {
            self::assertStringContainsString('its old code goes on', $failure->getMessage());
            self::assertMatchesRegularExpression('/File ".+versions\.py", line \d+.+RuntimeError: this version is broken/s', $failure->getMessage());
        }
        self::assertSame('1', $task->call('App.version'));
        self::assertEquals(1, $worker->generation()->serving);

        $this->become('3');
        self::assertSame(3, $worker->reload());
        self::assertSame('3', $task->call('App.version'));
    }

    #[TestWith(['App.slow'])]
    #[TestWith(['App.wait'])]
    public function testACallThatRunsIsFinishedByTheCodeThatBeganIt(string $method): void
    {
        $worker = $this->worker();
        $task = new Client($worker->address());
        $slow = $task->callAsync($method, 2.0);
        while (($status = $task->call('GoTask.Status')) && is_array($status) && $status['running'] < 1) {
            // it is on its way
        }
        $this->become('2');
        $worker->reload();
        self::assertSame('2', $task->call('App.version'));
        self::assertSame('1', $slow->await());
    }

    public function testOneThatDoesNotRunHasNothingToLoad(): void
    {
        $worker = $this->worker();
        $worker->stop();

        $this->expectException(WorkerStartFailed::class);
        $worker->reload();
    }

    /** GOTASK_RELOADS=100 for the full number. */
    public function testNoCallFailsHoweverOftenItIsReloadedUnderLoad(): void
    {
        $reloads = (int) (getenv('GOTASK_RELOADS') ?: 3);
        $worker = $this->worker(2);
        $clients = [];
        for ($number = 0; $number < 2; $number++) {
            $client = proc_open([PHP_BINARY, __DIR__ . '/Fixtures/load.php', $worker->address()], [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);
            self::assertIsResource($client);
            self::assertSame("calling\n", fgets($pipes[1]));
            $clients[] = [$client, $pipes];
        }
        for ($version = 2; $version <= $reloads + 1; $version++) {
            $this->become((string) $version);
            self::assertSame($version, $worker->reload());
        }
        $calls = 0;
        foreach ($clients as [$client, $pipes]) {
            fclose($pipes[0]);
            $said = (string) stream_get_contents($pipes[1]);
            self::assertSame('', stream_get_contents($pipes[2]));
            proc_close($client);
            $report = json_decode($said, true);
            self::assertIsArray($report, $said);
            self::assertSame([], $report['failures']);
            self::assertIsInt($report['calls']);
            $calls += $report['calls'];
        }
        self::assertGreaterThan($reloads * 20, $calls, 'there was load');
        if (getenv('GOTASK_RELOADS') !== false) {
            fprintf(STDERR, "\n%d reloads, %d calls, 0 failed\n", $reloads, $calls);
        }
    }

    private function worker(int $workers = 1): WorkerProcess
    {
        $this->worker = new WorkerProcess(
            __DIR__ . '/Fixtures/versions.py',
            workers: $workers,
            environment: ['VERSION_FILE' => $this->version],
        );
        $this->worker->start();

        return $this->worker;
    }

    private function become(string $version): void
    {
        file_put_contents($this->version, $version);
    }
}
