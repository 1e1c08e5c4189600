<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Args;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\WorkerCrashed;

use function array_fill;
use function array_map;
use function array_slice;
use function array_values;
use function hrtime;
use function range;
use function str_repeat;

/**
 * What a client does on the fast path whatever it waits with, and whatever its peer does: run once per runtime.
 */
abstract class FastContract extends RuntimeTestCase
{
    private const CANCELLED = 0;
    private const LATE = 1;
    private const TAKEN_BACK = 2;

    private Peer $peer;

    protected function setUp(): void
    {
        $this->peer = new Peer('fast');
    }

    protected function tearDown(): void
    {
        $this->peer->stop();
    }

    public function testAClientWithFewCallsOpensNone(): void
    {
        $this->runIn(function (): void {
            $client = new Client($this->peer->address);
            for ($i = 0; $i < 7; $i++) {
                self::assertSame($i, $client->call('Echo', $i));
            }
            self::assertSame(0, $this->seen($client, 'GoTask.FastPath')['asked']);
        });
    }

    public function testQuickCallsTakeIt(): void
    {
        $this->within(function (Client $client): void {
            $before = $this->seen($client, 'Echo');
            foreach (['text', 7, 2.5, null, true, ['a' => [1, 2]], str_repeat('x', 60_000)] as $value) {
                self::assertSame($value, $client->call('Echo', $value));
            }
            $after = $this->seen($client, 'Echo');
            self::assertSame([$before['ordinary'], $before['fast'] + 7], [$after['ordinary'], $after['fast']]);
        });
    }

    public function testWhatIsNotQuickOrNotPlainDoesNot(): void
    {
        $this->within(function (Client $client): void {
            for ($i = 0; $i < 3; $i++) {
                $client->call('Slow', $i);
                $client->call('Large', str_repeat('x', 70_000));
                $client->call('Named', new Args(a: 1));
                try {
                    $client->call('Hasty', $i, 0.025);
                } catch (DeadlineExceeded) {
                    // on a busy machine
                }
            }
            foreach (['Slow', 'Large', 'Named', 'Hasty'] as $method) {
                self::assertSame([3, 0], array_slice(array_values($this->seen($client, $method)), 0, 2), $method);
            }
        });
    }

    public function testManyCallersGetTheirOwnAnswersAndShareMessages(): void
    {
        $this->within(function (Client $client): void {
            $callers = [];
            foreach (range(1, 64) as $caller) {
                $callers[$caller] = static function () use ($client, $caller): int {
                    $right = 0;
                    for ($i = 0; $i < 50; $i++) {
                        $right += (int) ($client->call($i % 10 === 0 ? 'Slow' : 'Echo', "{$caller}.{$i}") === "{$caller}.{$i}");
                    }

                    return $right;
                };
            }
            self::assertSame(array_fill(1, 64, 50), $this->concurrently($callers));
            if (! static::oneAtATime()) {
                self::assertGreaterThan(8, $this->seen($client, 'Echo')['most']);
            }
        });
    }

    public function testParallelCallsShareMessagesAndFuturesDoNot(): void
    {
        $this->within(function (Client $client): void {
            $futures = array_map(static fn (int $i) => $client->callAsync('Echo', $i), range(0, 39));
            foreach ($futures as $i => $future) {
                self::assertSame($i, $future->await());
            }
            $calls = array_map(static fn (int $i): array => [$i % 7 === 0 ? 'Slow' : 'Echo', $i], range(0, 99));
            self::assertSame(range(0, 99), $client->parallel($calls));
            self::assertSame(16, $this->seen($client, 'Echo')['most']);
        });
    }

    public function testACallThatIsGivenBackGoesToTheBroker(): void
    {
        $this->within(function (Client $client): void {
            $client->call('GivenBack');
            self::assertSame('a', $client->call('GivenBack', 'a'));
            self::assertSame(['a', 'b', 'c'], $client->parallel(array_map(static fn (string $x): array => ['GivenBack', $x], ['a', 'b', 'c'])));
            self::assertGreaterThanOrEqual(2, $this->seen($client, 'GivenBack')['fast']);
        });
    }

    #[TestWith(['Kept', 2])]
    #[TestWith(['BegunAndAnswered', 1])]
    #[TestWith(['Closed', 2])]
    #[TestWith(['Garbage', 2])]
    public function testWhatIsNotAnsweredIsTakenBackOnce(string $method, int $ordinary): void
    {
        $this->within(function (Client $client) use ($method, $ordinary): void {
            $client->call($method);
            self::assertSame('a', $client->call($method, 'a'));
            $seen = $this->seen($client, $method);
            self::assertSame([$ordinary, 1, [self::TAKEN_BACK]], [$seen['ordinary'], $seen['fast'], $seen['stops']]);
            // It goes on, without its fast path for now.
            self::assertSame('b', $client->call('Echo', 'b'));
        });
    }

    public function testOnlyTheFirstOutcomeCounts(): void
    {
        $this->within(function (Client $client): void {
            foreach (['Twice', 'AnsweredByTheBroker', 'AnsweredBeforeItCrashed'] as $method) {
                $client->call($method);
                for ($i = 0; $i < 5; $i++) {
                    self::assertSame("{$method} {$i}", $client->call($method, "{$method} {$i}"));
                    self::assertSame($i, $client->call('Echo', $i));
                }
            }
        });
    }

    public function testAnAnswerThatCameBeforeTheConnectionEndedCounts(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Lost');
            self::assertSame('a', $client->call('Lost', 'a'));
        });
    }

    public function testACrashIsItsCallersAlone(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Crashed');

            try {
                $client->call('Crashed');
                self::fail('It was answered.');
            } catch (WorkerCrashed $crashed) {
                self::assertSame('Crashed', $crashed->method);
            }
            self::assertSame('b', $client->call('Echo', 'b'));
        });
    }

    public function testACallsTimeEndsAndTheBrokerIsTold(): void
    {
        $this->within(function (Client $client): void {
            $client->call('BegunForLong');
            $start = hrtime(true);

            try {
                $client->call('BegunForLong', null, 0.1);
                self::fail('It was answered.');
            } catch (DeadlineExceeded) {
                self::assertExpired(0.1, $start);
            }
            self::assertSame([self::TAKEN_BACK, self::LATE, self::CANCELLED], $this->seen($client, 'BegunForLong')['stops']);
        });
    }

    public function testACancelledCallIsStopped(): void
    {
        $this->within(function (Client $client): void {
            $client->call('BegunForLong');
            $future = $client->callAsync('BegunForLong');
            $held = $client->callAsync('BegunForLong');
            $future->cancel();
            $held->cancel();
            foreach ([$future, $held] as $cancelled) {
                try {
                    $cancelled->await();
                    self::fail('It was answered.');
                } catch (Cancelled) {
                }
            }
            self::assertSame('b', $client->call('Echo', 'b'));
            self::assertContains(self::CANCELLED, $this->seen($client, 'BegunForLong')['stops']);
        });
    }

    public function testASocketThatIsFullIsNoMatter(): void
    {
        $this->within(function (Client $client): void {
            $body = str_repeat('x', 50_000);
            $client->call('Stuck');
            $futures = [$client->callAsync('Stuck', 'first')];
            for ($i = 0; $i < 20; $i++) {
                $futures[] = $client->callAsync('Echo', $body);
            }
            $client->close();
            foreach ($futures as $future) {
                try {
                    $future->await();
                } catch (ConnectionLost) {
                }
            }
            self::assertSame('b', $client->call('Echo', 'b'));
        });
    }

    public function testClosingEndsWhatIsOutstanding(): void
    {
        $this->within(function (Client $client): void {
            $client->call('BegunForLong');
            $futures = [$client->callAsync('BegunForLong'), $client->callAsync('BegunForLong')];
            $client->close();
            foreach ($futures as $future) {
                try {
                    $future->await();
                    self::fail('It was answered.');
                } catch (ConnectionLost $lost) {
                    self::assertStringContainsString('the client was closed', $lost->getMessage());
                }
            }
        });
    }

    /**
     * @param Closure(Client): mixed $body is given a client that has its fast path
     */
    private function within(Closure $body): void
    {
        $this->runIn(function () use ($body): void {
            $client = new Client($this->peer->address, timeout: 5.0);
            $limit = hrtime(true) + 5e9;
            do {
                self::assertSame('warm', $client->call('Echo', 'warm'));
                self::assertLessThan($limit, hrtime(true), 'No fast path was opened.');
            } while ($this->seen($client, 'Echo')['fast'] === 0);
            $body($client);
            $client->close();
        });
    }

    /**
     * @return array{ordinary: int, fast: int, most: int, asked: int, stops: list<int>} what the peer has seen of a method's calls
     */
    private function seen(Client $client, string $method): array
    {
        $seen = $client->call('Seen', $method);
        self::assertIsArray($seen);
        /** @var list<int> $seen */
        [$ordinary, $fast, $most, $asked] = $seen;

        return ['ordinary' => $ordinary, 'fast' => $fast, 'most' => $most, 'asked' => $asked, 'stops' => array_slice($seen, 4)];
    }
}
