<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Args;
use Reasno\GoTask\Calling\Sender;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Exception\WorkerCrashed;
use Reasno\GoTask\Process\WorkerProcess;
use Reasno\GoTask\Protocol\FastCalls;
use Reasno\GoTask\Raw;
use ReflectionProperty;

use function array_fill;
use function dirname;
use function file_get_contents;
use function hrtime;
use function in_array;
use function posix_kill;
use function random_bytes;
use function range;
use function str_repeat;
use function sys_get_temp_dir;
use function tempnam;
use function touch;
use function unlink;

use const SIGHUP;
use const SIGKILL;

/**
 * The client and the real broker: run once per runtime.
 */
abstract class BrokerContract extends RuntimeTestCase
{
    /** Runs for all runtimes, until PHPUnit ends. */
    private static ?WorkerProcess $worker = null;

    protected function setUp(): void
    {
        if (self::$worker === null) {
            self::$worker = new WorkerProcess(
                dirname(__DIR__) . '/Fixtures/app.py',
                workers: 2,
                // On a busy machine a method takes longer to end than it is usually given.
                environment: ['GOTASK_INTERRUPT_GRACE' => '1'],
            );
            self::$worker->start();
        }
    }

    public function testEveryAnswerIsItsOwnCallers(): void
    {
        $this->within(function (Client $client): void {
            $callers = [];
            foreach (range(1, 64) as $caller) {
                $callers[$caller] = static function () use ($client, $caller): int {
                    $right = 0;
                    for ($i = 0; $i < 200; $i++) {
                        $method = $i % 50 === 0 ? 'App.fetch' : 'App.hi';
                        $right += (int) ($client->call($method, "{$caller}.{$i}") === ['hello' => "{$caller}.{$i}"]);
                    }

                    return $right;
                };
            }
            self::assertSame(array_fill(1, 64, 200), $this->concurrently($callers));
        });
    }

    public function testArgumentsArriveAsTheyWereGiven(): void
    {
        $this->within(static function (Client $client): void {
            self::assertSame('Jo Li', $client->call('App.say', new Args('Jo', last: 'Li')));
            self::assertSame('Jo Li', $client->service('App')->say(last: 'Li', first: 'Jo'));
            self::assertSame('nobody', $client->service('App')->greet());
            self::assertSame("\0\xff", $client->call('App.echo', new Raw("\0\xff")));
            $client->notify('App.hi', 'x');
        });
    }

    public function testParallelAndFutures(): void
    {
        $this->within(static function (Client $client): void {
            $calls = static function (): iterable {
                for ($i = 0; $i < 2000; $i++) {
                    yield "k{$i}" => ['App.hi', (string) $i];
                }
            };
            $results = $client->parallel($calls());
            self::assertCount(2000, $results);
            self::assertSame(['hello' => '1999'], $results['k1999']);
            $folder = sys_get_temp_dir() . '/gotask-meet-' . bin2hex(random_bytes(4));
            $futures = [$client->callAsync('App.meet', [$folder, 'a', 'b']), $client->callAsync('App.meet', [$folder, 'b', 'a'])];
            foreach ($futures as $future) {
                self::assertTrue($future->await(), 'they run at the same time');
            }
            array_map(unlink(...), ["{$folder}-a", "{$folder}-b"]);
        });
    }

    #[DataProvider('sizes')]
    public function testPayloadsOfAnySizePassBothWays(int $size): void
    {
        $this->within(static function (Client $client) use ($size): void {
            $payload = $size < 1000 ? str_repeat('x', $size) : random_bytes($size);
            self::assertTrue($client->call('App.echo', new Raw($payload)) === $payload);
        });
    }

    /**
     * @return iterable<string, array{int}>
     */
    public static function sizes(): iterable
    {
        yield 'nothing' => [0];
        yield 'a byte' => [1];
        yield '1 MiB' => [1_048_576];
        yield '63 MiB' => [63 * 1_048_576];
    }

    public function testWhatGoesWrongInPythonArrivesAsAnException(): void
    {
        $this->within(static function (Client $client): void {
            $failing = [
                [RemoteError::class, static fn () => $client->call('App.boom')],
                [MethodNotFound::class, static fn () => $client->call('App.ho')],
                [InvalidArguments::class, static fn () => $client->call('App.say', new Args(nobody: 1))],
                [DeadlineExceeded::class, static fn () => $client->call('App.sleep', 0.3, 0.05)],
                [WorkerCrashed::class, static fn () => $client->call('App.die')],
            ];
            foreach ($failing as [$class, $call]) {
                try {
                    $call();
                    self::fail("There was no {$class}.");
                } catch (GoTaskException $exception) {
                    self::assertInstanceOf($class, $exception);
                }
            }
            self::assertSame(['hello' => 'x'], $client->call('App.hi', 'x'));
        });
    }

    public function testArgumentsAreConvertedAndAWrongOneIsNamed(): void
    {
        $this->within(static function (Client $client): void {
            self::assertSame(0.0, $client->call('App.sleep', '0'));
            try {
                $client->call('App.note', new Args('/nowhere', 'x', seconds: 0));
                self::fail('Text was taken for an int.');
            } catch (InvalidArguments $exception) {
                self::assertSame('name', $exception->getArgument());
                self::assertStringContainsString('App.note(): argument name: "x" is no int', $exception->getMessage());
            }
        });
    }

    #[TestWith(['App.hang', 'Interrupted'])]
    #[TestWith(['App.linger', 'CancelledError'])]
    public function testACallThatIsCancelledEndsInPython(string $method, string $end): void
    {
        $this->within(static function (Client $client) use ($method, $end): void {
            $path = (string) tempnam(sys_get_temp_dir(), 'gotask');
            $future = $client->callAsync($method, $path);
            self::awaitContent($client, $path, 'begun');
            $future->cancel();
            try {
                $future->await();
                self::fail('It was not cancelled.');
            } catch (Cancelled $cancelled) {
                self::assertSame($method, $cancelled->method);
            }
            self::awaitContent($client, $path, $end);
            unlink($path);
        });
    }

    #[TestWith(['Limited.hang', 'Interrupted'])]
    #[TestWith(['Limited.linger', 'CancelledError'])]
    public function testACallWhoseTimeIsOverEndsInPythonAndSaysWhereItWas(string $method, string $end): void
    {
        $this->within(static function (Client $client) use ($method, $end): void {
            $path = (string) tempnam(sys_get_temp_dir(), 'gotask');
            $exceeded = self::exceeded($client, $method, $path);
            self::assertStringContainsString('it was interrupted', $exceeded->getMessage());
            self::assertMatchesRegularExpression('~Fixtures/app\.py", line \d+, in (hang|linger)~', $exceeded->stack);
            self::assertSame($exceeded->stack, $exceeded->getPrevious()?->getMessage());
            self::awaitContent($client, $path, $end);
            unlink($path);
        });
    }

    public function testOfTheFirstCallOfAClientTooTheBrokerIsToldThatItsTimeIsOver(): void
    {
        $this->runIn(static function (): void {
            $path = (string) tempnam(sys_get_temp_dir(), 'gotask');
            self::exceeded(new Client(self::$worker?->address() ?? ''), 'App.note', [$path, 1, 5.0], 0.3);
            unlink($path);
            // On a busy machine its caller may have ceased to wait by then.
            $client = new Client(self::$worker?->address() ?? '');
            $until = hrtime(true) + 20e9;
            do {
                $failures = (string) json_encode($client->call('GoTask.Failures'));
                self::assertLessThan($until, hrtime(true), $failures);
            } while (preg_match('~it was interrupted \(app\.py:\d+ in note\)~', $failures) !== 1);
        });
    }

    public function testACallThatHeedsNothingCostsItsWorkerAndSaysWhereItWas(): void
    {
        $this->within(static function (Client $client): void {
            $exceeded = self::exceeded($client, 'Limited.spin');
            self::assertStringContainsString('in spin', $exceeded->stack);
            self::assertStringContainsString('its worker was killed', $exceeded->getMessage());
            self::assertArrayHasKey('peak_memory', $exceeded->data);
            self::assertSame(['hello' => 'x'], $client->call('App.hi', 'x'));
        });
    }

    private static function exceeded(Client $client, string $method, mixed $payload = null, ?float $timeout = null): DeadlineExceeded
    {
        try {
            $client->call($method, $payload, $timeout);
        } catch (DeadlineExceeded $exceeded) {
            return $exceeded;
        }
        self::fail('It ended by itself.');
    }

    public function testAKilledBrokerFailsAllItsCallersAtOnce(): void
    {
        $worker = new WorkerProcess(dirname(__DIR__) . '/Fixtures/app.py', workers: 1);
        $worker->start();
        $this->runIn(function () use ($worker): void {
            $client = new Client($worker->address());
            $futures = [];
            for ($i = 0; $i < 20; $i++) {
                $futures[] = $client->callAsync('App.sleep', 60.0);
            }
            self::assertIsArray($client->call('GoTask.Status'));
            $pid = $worker->pid();
            self::assertIsInt($pid);
            $start = hrtime(true);
            posix_kill($pid, SIGKILL);
            $lost = 0;
            foreach ($futures as $future) {
                try {
                    $future->await();
                } catch (ConnectionLost) {
                    $lost++;
                }
            }
            self::assertSame(20, $lost);
            self::assertLessThan(20.0, (hrtime(true) - $start) / 1e9);
        });
        $worker->stop();
    }

    /**
     * Goes on calling, so that what this process has to send is sent, until a method has written something into a file.
     */
    private static function awaitContent(Client $client, string $path, string $content): void
    {
        $until = hrtime(true) + 10_000_000_000;
        while (file_get_contents($path) !== $content) {
            self::assertLessThan($until, hrtime(true), "{$path} has " . file_get_contents($path));
            $client->call('GoTask.Ping');
        }
    }

    public function testQuickCallsGoOnBesideASlowOneOnTheFastPath(): void
    {
        $this->onTheFastPath(function (Client $client): void {
            self::warm($client, 'App.sleep', 0.0);
            $slow = $client->callAsync('App.sleep', 20.0);
            $futures = [];
            for ($i = 0; $i < 20; $i++) {
                $futures[$i] = $client->callAsync('App.hi', "{$i}");
            }
            foreach ($futures as $i => $future) {
                self::assertSame(['hello' => "{$i}"], $future->await());
            }
            self::assertFalse($slow->isComplete());
            $slow->cancel();
        });
    }

    public function testAWorkerThatDiesOnTheFastPathEndsItsCallAlone(): void
    {
        $this->onTheFastPath(function (Client $client): void {
            for ($round = 0; $round < 3; $round++) {
                $client->call('App.die_if', false);
                $calls = [];
                foreach (range(0, 39) as $i) {
                    $calls[$i] = $i === 20 ? ['App.die_if', true] : ['App.hi', "{$i}"];
                }
                foreach ($client->parallel($calls, throw: false) as $i => $result) {
                    if ($i === 20) {
                        self::assertInstanceOf(WorkerCrashed::class, $result);
                    } else {
                        self::assertSame(['hello' => "{$i}"], $result);
                    }
                }
            }
        });
    }

    public function testAnIdempotentCallOfAWorkerThatDiesOnTheFastPathIsMadeAgain(): void
    {
        $this->onTheFastPath(function (Client $client): void {
            $path = (string) tempnam(sys_get_temp_dir(), 'gotask-once');
            unlink($path);
            self::warm($client, 'App.die_once', $path);
            touch($path);
            self::assertSame($path, $client->call('App.die_once', $path));
            self::assertFileDoesNotExist($path);
        });
    }

    public function testAReloadLosesNoCallOfTheFastPath(): void
    {
        $this->onTheFastPath(function (Client $client): void {
            $old = [];
            for ($i = 0; $i < 20; $i++) {
                $old[] = $client->call('App.pid');
            }
            posix_kill((int) self::$worker?->childPid(), SIGHUP);
            $limit = hrtime(true) + 20e9;
            do {
                $pid = $client->call('App.pid');
                self::assertLessThan($limit, hrtime(true), 'No new worker has answered.');
            } while (in_array($pid, $old, true));
            self::warm($client);
        });
    }

    /**
     * @param Closure(Client): mixed $body is given a client that has its fast path
     */
    private function onTheFastPath(Closure $body): void
    {
        $this->within(function (Client $client) use ($body): void {
            self::warm($client);
            $body($client);
            $client->close();
        });
    }

    /**
     * Calls a method until a call takes the fast path: on a busy machine one that is quick may seem not to be.
     */
    private static function warm(Client $client, string $method = 'App.hi', mixed $payload = 'warm'): void
    {
        $before = self::fastCalls($client);
        $limit = hrtime(true) + 10e9;
        do {
            $client->call($method, $payload);
            self::assertLessThan($limit, hrtime(true), 'No call takes the fast path.');
        } while (self::fastCalls($client) === $before);
    }

    /**
     * How many calls have left on the fast path.
     */
    private static function fastCalls(Client $client): int
    {
        $sender = (new ReflectionProperty(Client::class, 'sender'))->getValue($client);
        self::assertInstanceOf(Sender::class, $sender);
        $session = $sender->fast?->session;
        $last = $session === null ? 0x3FFFFFFF : (new ReflectionProperty(FastCalls::class, 'lastSequence'))->getValue($session);
        self::assertIsInt($last);

        return $last - 0x3FFFFFFF;
    }

    /**
     * @param Closure(Client): void $body
     */
    private function within(Closure $body): void
    {
        $this->runIn(static fn () => $body(new Client(self::$worker?->address() ?? '')));
    }
}
