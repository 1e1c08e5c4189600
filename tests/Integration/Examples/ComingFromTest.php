<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Examples;

use Closure;
use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Psr\Log\AbstractLogger;
use Reasno\GoTask\Args;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Process\WorkerProcess;
use Reasno\GoTask\Raw;
use Reasno\GoTask\Tests\Hyperf\ConsoleTest;
use Reasno\GoTask\Tests\Hyperf\ReloadTest;
use Reasno\GoTask\Tests\Hyperf\ServerTest;
use Reasno\GoTask\Tests\Integration\Process\ReloadTest as PlainReloadTest;
use Stringable;

use function array_diff;
use function array_keys;
use function array_map;
use function array_unique;
use function array_values;
use function count;
use function explode;
use function fclose;
use function file_get_contents;
use function hrtime;
use function is_array;
use function is_int;
use function is_string;
use function method_exists;
use function preg_match_all;
use function str_repeat;
use function stream_socket_get_name;
use function stream_socket_server;
use function sys_get_temp_dir;
use function tempnam;
use function unlink;

/**
 * What the pages for those who come from elsewhere promise: each row of their first tables has a test, here or in another suite.
 *
 * @internal
 */
#[CoversNothing]
final class ComingFromTest extends TestCase
{
    private const DOCS = __DIR__ . '/../../../docs/';
    private const APP = __DIR__ . '/Fixtures/coming-from/app.py';

    /** Seconds that only what hangs takes. */
    private const LIMIT = 20;

    /** @var array<string, array<string, string>> by page and row: a test of this class, or Class::test of another one */
    private const ROWS = [
        'from-taskworker.md' => [
            '`$server->task($data)`' => 'testATaskIsHandedOver',
            '`$server->taskwait($data, 0.5)`' => 'testTaskwaitThrowsInsteadOfReturningFalse',
            '`$server->taskCo([$a, $b], 0.5)`' => 'testOfManyAFailureStandsInItsPlace',
            '`$server->taskWaitMulti([…], 0.5)`' => 'testOfManyAFailureStandsInItsPlace',
            '`onTask`' => 'testTasksAreRoutedByName',
            '`onFinish`, `$server->finish($result)`' => 'testTheReturnValueIsTheResult',
            'the callback of `task()`' => 'testTheReturnValueIsTheResult',
            '`task_worker_num`' => 'testTheNumberOfProcesses',
            '`task_enable_coroutine`' => 'testManyThatWaitRunAtATimeInOneProcess',
            '`task_max_request`' => 'testAReplacementIsReadyBeforeAProcessIsLetGo',
            '`task_ipc_mode`, `message_queue_key`, `task_tmpdir`' => 'testALargePayload',
            '`$dst_worker_id`' => 'testAKeyChoosesTheProcess',
            "`\$server->stats()['tasking_num']`" => 'testWhatGoesOnCanBeAsked',
            '`reload` (SIGUSR2: task workers only)' => PlainReloadTest::class . '::testTheCodeAsItIsNowRunsOnceReloadReturns',
            '`hyperf/task`, `#[Task]`' => 'testAServiceIsAnObject',
        ],
        'from-hyperf-gotask.md' => [
            '`composer require hyperf/gotask`' => ConsoleTest::class . '::testBeforeAnythingIsPublishedCommandsSayWhatToDo',
            '`Hyperf\GoTask\GoTask` injected' => ServerTest::class . '::testTheWorkerStartsAndEndsWithTheServer',
            "`\$task->call('App.Hi', 'Hyperf')`" => 'testTasksAreRoutedByName',
            '`$task->call($method, $bytes, GoTask::PAYLOAD_RAW)`' => 'testRawBytes',
            "`class App extends GoTaskProxy`, `\$app->hi('Jo')`" => 'testAServiceIsAnObject',
            "`SocketIPCSender('127.0.0.1:6001')`" => 'testAnAddressOfTheNetwork',
            '`WithGoTask`' => ServerTest::class . '::testManyWorkersByTheirNames',
            'pipes (`PipeGoTask`)' => 'testALargePayload',
            'one call at a time on a connection, from a pool of 30' => 'testManyCallsAtATimeOnOneConnection',
            '`Hyperf\GoTask\Exception\GoTaskException`' => 'testEachFailureHasAClass',
            'Go calls PHP (`go2php`)' => 'testAMethodCallsPhpBack',
            '`MongoClient`' => 'testTasksAreRoutedByName',
            '`gotask.Register(new(App))`' => 'testTasksAreRoutedByName',
            '`func (a *App) Hi(name string, r *interface{}) error`' => 'testEachFailureHasAClass',
            'goroutines' => 'testManyThatWaitRunAtATimeInOneProcess',
            '`go build`, `bin/app`' => ReloadTest::class . '::testCodeThatDoesNotStartLeavesTheOldOneAtWork',
            '`gotask.SetAddress("127.0.0.1:6001")`' => 'testAnAddressOfTheNetwork',
        ],
    ];

    private static ?WorkerProcess $worker = null;

    private static ?Client $task = null;

    /** @var list<string> */
    private static array $logged = [];

    public static function setUpBeforeClass(): void
    {
        $logger = new class(static function (string $line): void {
            self::$logged[] = $line;
        }) extends AbstractLogger {
            public function __construct(private readonly Closure $tell)
            {
            }

            public function log(mixed $level, string|Stringable $message, array $context = []): void
            {
                ($this->tell)((is_string($level) ? $level : '') . " {$message}");
            }
        };
        self::$worker = new WorkerProcess(self::APP, workers: 2, logger: $logger);
        self::$worker->start();
    }

    public static function tearDownAfterClass(): void
    {
        self::$worker?->stop();
        self::$worker = self::$task = null;
    }

    #[DataProvider('pages')]
    public function testEachRowHasATest(string $page): void
    {
        $rows = self::rows($page);
        self::assertSame(array_keys(self::ROWS[$page]), $rows, "the rows of docs/{$page}, in their order");
        foreach (self::ROWS[$page] as $row => $test) {
            self::assertTrue(method_exists(...explode('::', str_contains($test, '::') ? $test : self::class . "::{$test}")), "{$row}: there is no {$test}()");
        }
    }

    /**
     * @return list<array{string}>
     */
    public static function pages(): array
    {
        return array_map(static fn (string $page): array => [$page], array_keys(self::ROWS));
    }

    public function testATaskIsHandedOver(): void
    {
        $file = (string) tempnam(sys_get_temp_dir(), 'gotask');
        self::task()->notify('Mail.Send', ['a@example.org', $file]);
        self::waitUntil(static fn (): bool => file_get_contents($file) === 'a@example.org', 'it has run');
        self::assertTrue(unlink($file));

        self::task()->notify('App.Fail');
        self::waitUntil(static function (): bool {
            self::$worker?->poll(0.01);

            return preg_grep('/^error .*App\.Fail failed.*this one fails/s', self::$logged) !== [];
        }, 'its failure is logged');
    }

    public function testTaskwaitThrowsInsteadOfReturningFalse(): void
    {
        self::assertSame(0.001, self::task()->call('Mail.Slow', 0.001, timeout: 20));
        $this->expectException(DeadlineExceeded::class);
        self::task()->call('Mail.Slow', 20, timeout: 0.05);
    }

    public function testOfManyAFailureStandsInItsPlace(): void
    {
        $results = self::task()->parallel(['a' => ['Mail.Slow', 0.002], 'b' => ['App.Fail'], 'c' => ['Mail.Slow', 0.001]], timeout: 20, throw: false);
        self::assertSame(['a', 'b', 'c'], array_keys($results));
        self::assertSame(0.002, $results['a']);
        self::assertInstanceOf(RemoteError::class, $results['b']);
        self::assertSame(0.001, $results['c']);
    }

    public function testTasksAreRoutedByName(): void
    {
        self::assertSame(['hello' => 'Hyperf'], self::task()->call('App.Hi', 'Hyperf'));
        self::assertSame('Hello Jo Li', self::task()->call('App.SayHello', new Args('Jo', last: 'Li')));
        self::assertSame('Hello Jo Li', self::task()->call('App.say_hello', new Args(first: 'Jo', last: 'Li')));
        $this->expectException(MethodNotFound::class);
        self::task()->call('App.Bye');
    }

    public function testTheReturnValueIsTheResult(): void
    {
        $future = self::task()->callAsync('App.Hi', 'Jo');
        self::assertSame(['hello' => 'Hyperf'], self::task()->call('App.Hi', 'Hyperf'));
        self::assertSame(['hello' => 'Jo'], $future->await());
    }

    public function testTheNumberOfProcesses(): void
    {
        // One that a late call has cost is replaced.
        self::waitUntil(static fn (): bool => (self::group('sync')['workers'] ?? null) === 2, 'two run sync methods');
        self::assertSame(1, self::group('async')['workers'] ?? null);
    }

    public function testManyThatWaitRunAtATimeInOneProcess(): void
    {
        $began = hrtime(true);
        self::task()->parallel(array_map(static fn (): array => ['Mail.Wait', 0.2], range(1, 50)));
        self::assertLessThan(50 * 0.2e9, hrtime(true) - $began);
    }

    public function testAReplacementIsReadyBeforeAProcessIsLetGo(): void
    {
        $worker = new WorkerProcess(self::APP, workers: 1, environment: ['GOTASK_MAX_CALLS' => '20']);
        $worker->start();
        $task = new Client($worker->address());
        $processes = [];
        self::waitUntil(static function () use ($task, &$processes): bool {
            $processes[] = $task->call('Process.Pid');

            return count(array_unique($processes, SORT_REGULAR)) > 2;
        }, 'processes replace each other, and no call fails');
        self::assertGreaterThanOrEqual(40, count($processes));
        $worker->stop();
    }

    public function testALargePayload(): void
    {
        self::assertStringStartsWith('unix://', self::address());
        self::assertSame(['bytes', 4 << 20], self::task()->call('App.Size', new Bytes(str_repeat("\xff", 4 << 20))));
    }

    public function testWhatGoesOnCanBeAsked(): void
    {
        $status = self::task()->call('GoTask.Status');
        self::assertIsArray($status);
        self::assertArrayHasKey('running', $status);
        self::assertArrayHasKey('queued', self::group('sync'));
    }

    public function testAKeyChoosesTheProcess(): void
    {
        $processes = [];
        for ($key = 0; $key < 16; $key++) {
            $processes[$key] = self::task()->call('Process.Pid', key: $key);
        }
        for ($key = 0; $key < 16; $key++) {
            self::assertSame($processes[$key], self::task()->call('Process.Pid', key: $key));
        }
        self::assertCount(2, array_unique($processes, SORT_REGULAR));
    }

    public function testAMethodCallsPhpBack(): void
    {
        $task = new Client(self::address(), services: ['Config' => new class {
            public function get(string $name): string
            {
                return "the {$name}";
            }
        }]);
        self::assertSame('the app.name', $task->call('App.Setting', 'app.name'));
    }

    public function testAServiceIsAnObject(): void
    {
        self::assertSame(['hello' => 'Jo'], self::task()->service('App')->__call('hi', ['Jo']));
        self::assertSame('Hello Jo Li', self::task()->service('App')->__call('sayHello', ['Jo', 'last' => 'Li']));
    }

    public function testRawBytes(): void
    {
        self::assertSame(['bytes', 2], self::task()->call('App.Size', new Bytes("\xff\0")));
        self::assertSame("\xff\0", self::task()->call('GoTask.Ping', new Raw("\xff\0")));
    }

    public function testAnAddressOfTheNetwork(): void
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        self::assertNotFalse($server);
        $address = 'tcp://' . stream_socket_get_name($server, false);
        fclose($server);
        $worker = new WorkerProcess(self::APP, $address, workers: 1, environment: ['GOTASK_KEY' => 'sixteen bytes or more']);
        $worker->start();
        self::assertSame(['hello' => 'Jo'], (new Client($address, key: 'sixteen bytes or more'))->call('App.Hi', 'Jo'));
        $worker->stop();
    }

    public function testManyCallsAtATimeOnOneConnection(): void
    {
        $task = new Client(self::address(), maxConnections: 1);
        $before = self::connections();
        $futures = array_map(static fn (int $name) => $task->callAsync('App.Hi', (string) $name), range(1, 100));
        foreach ($futures as $name => $future) {
            self::assertSame(['hello' => (string) ($name + 1)], $future->await());
        }
        self::assertSame($before + 1, self::connections());
    }

    public function testEachFailureHasAClass(): void
    {
        try {
            self::task()->call('App.Fail');
            self::fail('it raises');
        } catch (GoTaskException $failure) {
            self::assertInstanceOf(RemoteError::class, $failure);
            self::assertSame('ValueError', $failure->type);
        }
    }

    private static function address(): string
    {
        return self::$worker?->address() ?? self::fail('no worker runs');
    }

    private static function task(): GoTask
    {
        return self::$task ??= new Client(self::address());
    }

    /**
     * @return array<array-key, mixed>
     */
    private static function group(string $kind): array
    {
        $status = self::task()->call('GoTask.Status');
        $groups = is_array($status) ? $status['services'] ?? [] : [];
        foreach (is_array($groups) ? $groups : [] as $group) {
            if (is_array($group) && ($group['kind'] ?? '') === $kind) {
                return $group;
            }
        }

        return [];
    }

    private static function connections(): int
    {
        $status = self::task()->call('GoTask.Status');

        return is_array($status) && is_int($status['connections'] ?? null) ? $status['connections'] : -1;
    }

    /**
     * @return list<string> the first column of the page's first table
     */
    private static function rows(string $page): array
    {
        $text = (string) file_get_contents(self::DOCS . $page);
        preg_match_all('/^\| (.+?) \|/m', explode("\n## ", $text)[0], $rows);

        return array_values(array_diff($rows[1], ['TaskWorker', 'hyperf/gotask']));
    }

    /**
     * @param Closure(): bool $isSo
     */
    private static function waitUntil(Closure $isSo, string $what): void
    {
        $limit = hrtime(true) + self::LIMIT * 1_000_000_000;
        while (! $isSo()) {
            self::assertLessThan($limit, hrtime(true), $what);
            usleep(1000);
        }
    }
}
