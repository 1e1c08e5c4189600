<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use PHPUnit\Framework\Attributes\DataProvider;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Future;

use function array_count_values;
use function array_filter;
use function array_map;
use function array_unique;
use function array_values;
use function count;
use function file;
use function hrtime;
use function is_int;
use function range;
use function sort;
use function sys_get_temp_dir;
use function tempnam;
use function unlink;

use const FILE_IGNORE_NEW_LINES;
use const SIGCONT;
use const SIGKILL;
use const SIGSTOP;
use const SIGTERM;

/**
 * A client of two real brokers, one of which fails: run once per runtime.
 */
abstract class ClusterContract extends RuntimeTestCase
{
    /** @var array<string, array{Broker, Broker}> by the kind of their addresses; they run for all runtimes, until PHPUnit ends */
    private static array $brokers = [];

    private Broker $a;

    private Broker $b;

    private string $notes;

    /**
     * What a test has done something to is started anew, at once, so that the next one hardly waits for it.
     */
    protected function tearDown(): void
    {
        $this->a->renew();
        $this->b->renew();
        unlink($this->notes);
    }

    #[DataProvider('kinds')]
    public function testCallsGoToBothAndAnyKindOfCallWorks(bool $tcp): void
    {
        $this->within($tcp, function (Client $client): void {
            $futures = $this->start($client, 'note', range(1, 20), 0.0);
            $brokers = array_count_values(array_map(static fn (Future $future): int => self::int($future->await()), $futures));
            self::assertEquals([$this->a->pid() => 10, $this->b->pid() => 10], $brokers);
            $client->notify('App.hi', 'x');
            $calls = array_map(static fn (int $i): array => ['App.hi', "{$i}"], range(0, 999));
            $results = $client->parallel($calls);
            self::assertSame(array_map(static fn (int $i): array => ['hello' => "{$i}"], range(0, 999)), $results);
        });
    }

    /**
     * @return iterable<string, array{bool}>
     */
    public static function kinds(): iterable
    {
        yield 'unix' => [false];
        yield 'tcp' => [true];
    }

    public function testACallThatMayHaveRunFailsAndIsNotMadeAgain(): void
    {
        $this->within(false, function (Client $client): void {
            [$done, $failed] = $this->killWhileRunning($client, 'note', range(1, 16));
            self::assertNotEmpty($failed);
            self::assertCount(16, $done + $failed);
            foreach ($failed as $failure) {
                self::assertInstanceOf(ConnectionLost::class, $failure);
                self::assertTrue($failure->sent);
            }
            $notes = $this->notes();
            self::assertSame([1], array_values(array_unique($notes)), 'A call has run twice.');
            foreach ($done as $name => $broker) {
                self::assertArrayHasKey($name, $notes);
            }
        });
    }

    public function testACallOfAnIdempotentMethodIsMadeAgain(): void
    {
        $this->within(false, function (Client $client): void {
            [$done, $failed] = $this->killWhileRunning($client, 'noteAgain', range(1, 16));
            self::assertSame([], $failed);
            self::assertCount(16, $done);
            self::assertSame([$this->b->pid()], array_values(array_unique($done)));
        });
    }

    public function testWhatTheCallerEndsItselfIsNotMadeAgain(): void
    {
        $this->within(false, function (Client $client): void {
            $cancelled = $this->start($client, 'noteAgain', range(1, 4), 0.2);
            while ($this->notes() === []) {
                $client->call('GoTask.Ping');
            }
            $this->a->end(SIGKILL);
            foreach ($cancelled as $future) {
                $future->cancel();
            }
            [$done] = self::outcomes($cancelled);
            self::assertSame([], $done);
            self::assertSame([$this->b->pid()], $this->brokersOf($client, 4));
            $closed = $this->start($client, 'noteAgain', range(5, 8), 0.2);
            while (array_filter($this->notes(), static fn (int|string $name): bool => $name >= 5, ARRAY_FILTER_USE_KEY) === []) {
                $client->call('GoTask.Ping');
            }
            $client->close();
            [, $failed] = self::outcomes($closed);
            self::assertCount(4, $failed);
            self::assertInstanceOf(ConnectionLost::class, $failed[5]);
            // Whatever were made again would have run before this.
            self::assertSame(['hello' => 'x'], $client->call('App.hi', 'x'));
            self::assertSame([1], array_values(array_unique($this->notes())));
        });
    }

    public function testInParallelTooIdempotentCallsAreMadeAgain(): void
    {
        $this->within(false, function (Client $client): void {
            $calls = function (): iterable {
                foreach (range(1, 40) as $name) {
                    if ($name === 20) {
                        $this->a->signal(SIGKILL);
                    }
                    yield $name => ['App.noteAgain', [$this->notes, $name, 0.01]];
                }
            };
            $results = $client->parallel($calls(), 8);
            self::assertCount(40, $results);
        });
    }

    public function testInParallelASlowOneDoesNotHoldUpTheOther(): void
    {
        $this->within(false, function (Client $client): void {
            self::assertSame($this->both(), $this->brokersOf($client, 10));
            $this->a->signal(SIGSTOP);
            $calls = array_map(fn (int $i): array => ['App.note', [$this->notes, $i, 0.0]], range(1, 200));
            $results = $client->parallel($calls, 8, 3.0, throw: false);
            $failed = array_filter($results, static fn (mixed $result): bool => $result instanceof DeadlineExceeded);
            // One window at most is with the one that hangs, and all others have run before that is known.
            self::assertLessThan(8, count($failed));
            foreach ($failed as $failure) {
                self::assertStringContainsString('was not answered', $failure->getMessage(), 'none waited to be sent to the other one');
            }
            self::assertCount(200 - count($failed), $this->notes());
            self::assertSame([$this->b->pid()], array_values(array_unique(array_filter($results, is_int(...)))));
        });
    }

    public function testTheBudgetBoundsHowManyAreMadeAgain(): void
    {
        $this->within(false, function (Client $client): void {
            self::assertSame($this->both(), $this->brokersOf($client, 10));
            // It takes all that it is sent, and does nothing with it.
            $this->a->signal(SIGSTOP);
            $futures = $this->start($client, 'noteAgain', range(1, 100), 0.0);
            $this->a->end(SIGKILL);
            [$done, $failed] = self::outcomes($futures);
            // 50 were lost, and 10 and a tenth of 50 or so may be made again.
            self::assertGreaterThan(25, count($failed));
            self::assertGreaterThan(55, count($done));
        });
    }

    /**
     * @param Closure(Broker): void $fault
     */
    #[DataProvider('faults')]
    public function testUnderLoadEveryCallHasOneOutcomeAndNoneFailsThatHasNotRun(Closure $fault, bool $mayLose): void
    {
        $this->within(true, function (Client $client) use ($fault, $mayLose): void {
            $lost = [];
            $callers = [];
            foreach (range(0, 7) as $caller) {
                $callers[$caller] = function () use ($client, $caller, $fault, &$lost): int {
                    $right = 0;
                    for ($i = 0; $i < 100; $i++) {
                        if ($caller === 0 && $i === 30) {
                            $fault($this->a);
                        }
                        $name = 1000 * $caller + $i + 1;

                        try {
                            self::int($client->call('App.note', [$this->notes, $name, 0.0]));
                            $right++;
                        } catch (ConnectionLost $failure) {
                            self::assertTrue($failure->sent);
                            $lost[] = $name;
                        }
                    }

                    return $right;
                };
            }
            $right = array_sum($this->concurrently($callers));
            self::assertSame(800, $right + count($lost));
            $notes = $this->notes();
            self::assertSame([1], array_values(array_unique($notes)), 'A call has run twice.');
            self::assertGreaterThanOrEqual($right, count($notes));
            if (! $mayLose) {
                self::assertSame([], $lost);
            }
        });
    }

    /**
     * @return iterable<string, array{Closure(Broker): void, bool}>
     */
    public static function faults(): iterable
    {
        yield 'killed' => [static fn (Broker $broker) => $broker->end(SIGKILL), true];
        yield 'killed and started again' => [static function (Broker $broker): void {
            $broker->end(SIGKILL);
            $broker->start();
        }, true];
        yield 'told to end' => [static fn (Broker $broker) => $broker->signal(SIGTERM), false];
    }

    #[DataProvider('kinds')]
    public function testOneThatHangsIsSetAsideAndTakenBackWhenItAnswers(bool $tcp): void
    {
        $this->within($tcp, function (Client $client): void {
            self::assertSame($this->both(), $this->brokersOf($client, 10));
            $this->a->signal(SIGSTOP);
            $futures = array_map(fn (int $i): Future => $client->callAsync('App.note', [$this->notes, $i, 0.0], 1.0), range(1, 10));
            [$done, $failed] = self::outcomes($futures);
            self::assertCount(5, $done);
            foreach ($failed as $failure) {
                self::assertInstanceOf(DeadlineExceeded::class, $failure);
            }
            $start = hrtime(true);
            self::assertSame([$this->b->pid()], $this->brokersOf($client, 50));
            self::assertLessThan(15.0, (hrtime(true) - $start) / 1e9, 'of the 25 s that half of the calls would wait');
            $this->a->signal(SIGCONT);
            $this->waitForBoth($client);
        });
    }

    public function testOneThatEndedIsUsedAgainWhenItIsBack(): void
    {
        $this->within(true, function (Client $client): void {
            self::assertSame($this->both(), $this->brokersOf($client, 10));
            $this->a->end(SIGKILL);
            self::assertSame([$this->b->pid()], $this->brokersOf($client, 10));
            $this->a->start();
            $this->waitForBoth($client);
        });
    }

    public function testWithNoneLeftTheErrorNamesAllAndWithOneBackItGoesOn(): void
    {
        $this->within(true, function (Client $client): void {
            self::assertSame($this->both(), $this->brokersOf($client, 10));
            $this->a->end(SIGKILL);
            $this->b->end(SIGKILL);
            for ($i = 0; $i < 3; $i++) {
                try {
                    $client->call('App.hi', 'x');
                    self::fail('Somebody answers.');
                } catch (ConnectFailed $failed) {
                    self::assertStringContainsString("{$this->a->address}, {$this->b->address}", $failed->getMessage());
                } catch (ConnectionLost $failed) {
                    self::assertSame(0, $i);
                }
            }
            $this->b->start();
            self::assertSame(['hello' => 'x'], $client->call('App.hi', 'x'));
        });
    }

    /**
     * @param list<int> $names
     * @return array{array<int, int>, array<int, GoTaskException>} the brokers that did them and how the others failed, by name
     */
    private function killWhileRunning(Client $client, string $method, array $names): array
    {
        self::assertSame($this->both(), $this->brokersOf($client, 10));
        $futures = $this->start($client, $method, $names, 0.2);
        while ($this->notes() === []) {
            $client->call('GoTask.Ping');
        }
        $this->a->signal(SIGKILL);

        return self::outcomes($futures);
    }

    /**
     * @param list<int> $names
     * @return array<int, Future>
     */
    private function start(Client $client, string $method, array $names, float $seconds): array
    {
        $futures = [];
        foreach ($names as $name) {
            $futures[$name] = $client->callAsync("App.{$method}", [$this->notes, $name, $seconds]);
        }

        return $futures;
    }

    /**
     * @param array<int, Future> $futures
     * @return array{array<int, int>, array<int, GoTaskException>}
     */
    private static function outcomes(array $futures): array
    {
        $done = $failed = [];
        foreach ($futures as $name => $future) {
            try {
                $done[$name] = self::int($future->await());
            } catch (GoTaskException $failure) {
                $failed[$name] = $failure;
            }
        }

        return [$done, $failed];
    }

    /**
     * @return list<int> the pids of those brokers that did some of so many calls
     */
    private function brokersOf(Client $client, int $calls): array
    {
        $brokers = [];
        for ($i = 0; $i < $calls; $i++) {
            $status = $client->call('GoTask.Status');
            self::assertIsArray($status);
            $brokers[] = self::int($status['pid']);
        }
        $brokers = array_unique($brokers);
        sort($brokers);

        return $brokers;
    }

    private function waitForBoth(Client $client): void
    {
        $limit = hrtime(true) + 30e9;
        do {
            $brokers = $this->brokersOf($client, 4);
        } while (hrtime(true) < $limit && count($brokers) < 2);
        self::assertSame($this->both(), $brokers);
    }

    /**
     * @return list<int>
     */
    private function both(): array
    {
        $both = [$this->a->pid(), $this->b->pid()];
        sort($both);

        return $both;
    }

    /**
     * @return array<int|string, int> how often each call has run
     */
    private function notes(): array
    {
        return array_count_values(array_filter(file($this->notes, FILE_IGNORE_NEW_LINES) ?: []));
    }

    private static function int(mixed $value): int
    {
        return is_int($value) ? $value : self::fail('It is no number.');
    }

    /**
     * @param Closure(Client): void $body
     */
    private function within(bool $tcp, Closure $body): void
    {
        [$this->a, $this->b] = self::$brokers[$tcp ? 'tcp' : 'unix'] ??= [new Broker($tcp), new Broker($tcp)];
        $this->a->ready();
        $this->b->ready();
        $this->notes = (string) tempnam(sys_get_temp_dir(), 'gotask');
        $this->runIn(fn () => $body(new Client([$this->a->address, $this->b->address])));
    }
}
