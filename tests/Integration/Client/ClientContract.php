<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Args;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\Overloaded;
use Reasno\GoTask\Exception\ParallelFailed;
use Reasno\GoTask\Exception\PayloadTooLarge;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Raw;
use ValueError;

use function array_fill;
use function array_key_last;
use function array_keys;
use function array_map;
use function array_values;
use function bin2hex;
use function chmod;
use function chown;
use function fopen;
use function gc_collect_cycles;
use function hrtime;
use function ini_get;
use function ini_set;
use function is_array;
use function memory_get_usage;
use function mkdir;
use function posix_geteuid;
use function random_bytes;
use function range;
use function rmdir;
use function str_repeat;
use function sys_get_temp_dir;
use function usleep;

/**
 * What a client does whatever it waits with: run once per runtime.
 */
abstract class ClientContract extends RuntimeTestCase
{
    protected Peer $peer;

    protected function setUp(): void
    {
        $this->peer = new Peer();
    }

    protected function tearDown(): void
    {
        if (isset($this->peer)) {
            $this->peer->stop();
        }
        gc_collect_cycles();
    }

    public function testACallReturnsWhatItsMethodAnswers(): void
    {
        $this->within(function (Client $client): void {
            self::assertSame(['hello' => 'Reasno', 'n' => [1, 2.5, true, null]], $client->call('Echo', ['hello' => 'Reasno', 'n' => [1, 2.5, true, null]]));
            self::assertNull($client->call('Echo'));
            self::assertSame("\0raw", $client->call('Echo', new Raw("\0raw")));
        });
    }

    public function testEveryAnswerIsItsOwnCallers(): void
    {
        $this->within(function (Client $client): void {
            $callers = [];
            foreach (range(1, 64) as $caller) {
                $callers[$caller] = static function () use ($client, $caller): int {
                    $right = 0;
                    for ($i = 0; $i < 200; $i++) {
                        $right += (int) ($client->call('Echo', "{$caller}.{$i}") === "{$caller}.{$i}");
                    }

                    return $right;
                };
            }
            self::assertSame(array_fill(1, 64, 200), $this->concurrently($callers));
        });
    }

    public function testManyOutstandingFuturesGetTheirOwnAnswers(): void
    {
        $this->within(function (Client $client): void {
            for ($round = 0; $round < 20; $round++) {
                $futures = [];
                for ($i = 0; $i < 64; $i++) {
                    $futures[] = $client->callAsync('Hold:64', [$round, $i]);
                }
                foreach ($futures as $i => $future) {
                    self::assertSame([$round, $i], $future->await());
                }
            }
        });
    }

    public function testACallIsSentBeforeItsFutureIsAwaited(): void
    {
        $this->within(function (Client $client): void {
            $futures = [];
            for ($i = 0; $i < 20; $i++) {
                $futures[] = $client->callAsync('Late:0', $i);
            }
            // Another connection sees that they have arrived without anyone having waited on theirs.
            $observer = new Client($this->peer->address);
            $names = [];
            $deadline = hrtime(true) + 5_000_000_000;
            do {
                $names = $observer->call('Calls:Late');
            } while ($names !== 20 && hrtime(true) < $deadline);
            self::assertSame(20, $names);
            self::assertSame(range(0, 19), array_map(static fn ($future) => $future->await(), $futures));
        });
    }

    public function testTheCallerGetsItsTimeoutOnTimeAndThePeerIsTold(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $start = hrtime(true);

            try {
                $client->call('Never', null, 0.1);
                self::fail('It was answered.');
            } catch (DeadlineExceeded $exceeded) {
                self::assertSame('Never', $exceeded->method);
                self::assertStringContainsString('0.1 s', $exceeded->getMessage());
            }
            self::assertExpired(0.1, $start);
            $cancelled = $client->call('Cancelled:1');
            self::assertIsArray($cancelled);
            self::assertCount(1, $cancelled);
        });
    }

    public function testAPeerThatIsNotKnownYetIsToldOfTimeoutsAsSoonAsItIs(): void
    {
        $this->within(function (Client $client): void {
            foreach (range(1, 3) as $_) {
                $futures[] = $client->callAsync('Never', null, 0.05);
            }
            // Busy with something else: nobody reads the answer to Hello.
            usleep(100_000);
            foreach ($futures as $future) {
                try {
                    $future->await();
                    self::fail('It was answered.');
                } catch (DeadlineExceeded) {
                }
            }
            $observer = new Client($this->peer->address);
            // Told of each that it is late, and, as nothing came of that in time, that it is given up.
            self::assertCount(3, array_unique((array) $observer->call('Cancelled:6'), SORT_REGULAR));
        });
    }

    public function testTheCallsOfAPeerThatIsGreetedLateAreGivenUpThen(): void
    {
        $this->runIn(static function (): void {
            $peer = new Peer('late');
            $client = new Client($peer->address);
            foreach ([1, 2] as $_) {
                try {
                    $client->call('Never', null, 0.05);
                    self::fail('It was answered.');
                } catch (DeadlineExceeded) {
                }
            }
            // Of one whose time was over after the greeting twice: that it is late, and that it is given up.
            self::assertCount(2, array_unique((array) $client->call('Cancelled:2'), SORT_REGULAR));
            $peer->stop();
        });
    }

    public function testAnAnswerThatIsThereWhenTheTimeIsOverCounts(): void
    {
        $this->within(function (Client $client): void {
            foreach ([10, 150_000] as $length) {
                $payload = str_repeat('x', $length);
                $first = $client->callAsync('Echo', $payload, 0.1);
                $second = $client->callAsync('Echo', 2, 0.1);
                usleep(100_000);
                $this->peer->awaitAnswered('Echo');
                self::assertSame($payload, $first->await());
                self::assertSame(2, $second->await());
            }
        });
    }

    public function testLargeCallsThatAreGivenUpAreNotKept(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            if (static::oneAtATime()) {
                // There a call is written when it is made.
                self::assertSame(1, $client->call('Echo', 1));

                return;
            }
            $stall = $client->callAsync('Stall:0.3');
            $futures = [];
            $payload = str_repeat('x', 5 << 20);
            $before = memory_get_usage();
            for ($i = 0; $i < 8; $i++) {
                $futures[] = $client->callAsync('Echo', new Raw($payload . $i));
            }
            foreach ($futures as $future) {
                $future->cancel();
            }
            unset($futures, $future);
            // Of each connection the one that is begun.
            self::assertLessThan(4.5 * (5 << 20), memory_get_usage() - $before);
            self::assertNull($stall->await());
            self::assertSame('x', $client->call('Echo', 'x'));
        });
    }

    public function testTimeoutsOfManyCallersAreEachOnTime(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $futures = [];
            $start = hrtime(true);
            foreach ([0.3, 0.1, 0.2] as $timeout) {
                $futures[(string) $timeout] = $client->callAsync('Never', null, $timeout);
            }
            $this->concurrently(array_map(static fn ($future, $timeout) => static function () use ($future, $timeout, $start): void {
                try {
                    $future->await();
                } catch (DeadlineExceeded) {
                }
                if (! static::oneAtATime()) {
                    self::assertExpired((float) $timeout, $start);
                }
            }, $futures, array_keys($futures)));
            self::assertExpired(0.3, $start);
        });
    }

    public function testALateAnswerNeverBecomesAnothersResult(): void
    {
        $this->within(function (Client $client): void {
            for ($i = 0; $i < 3; $i++) {
                try {
                    $client->call('Hold:2', 'late', 0.03);
                    self::fail('It was in time.');
                } catch (DeadlineExceeded) {
                }
                // The late answer leaves right behind this one's.
                self::assertSame($i, $client->call('Hold:2', $i));
                self::assertSame('own', $client->call('Echo', 'own'));
            }
        });
    }

    public function testAPeerThatTricklesDoesNotPutTheTimeoutOff(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $start = hrtime(true);

            try {
                $client->call('Slowly:0.03', str_repeat('x', 1000), 0.1);
                self::fail('It was in time.');
            } catch (DeadlineExceeded) {
            }
            self::assertExpired(0.1, $start);
        });
    }

    public function testAnAnswerThatComesByteByByteIsWhole(): void
    {
        $this->within(function (Client $client): void {
            self::assertSame(['a' => [1, 2, 3]], $client->call('Slowly:0', ['a' => [1, 2, 3]]));
        });
    }

    public function testAnswersToNobodyAreDropped(): void
    {
        $this->within(function (Client $client): void {
            self::assertSame('mine', $client->call('Flood:5000', 'mine'));
            self::assertSame(1, $client->call('Twice', 1));
            self::assertSame(2, $client->call('Echo', 2));
        });
    }

    #[DataProvider('waysToBreakAConnection')]
    public function testABrokenConnectionFailsItsCallsAndTheNextOneIsMadeAnew(string $method, string $why): void
    {
        $this->within(function (Client $client) use ($method, $why): void {
            $other = $client->callAsync('Never');

            try {
                $client->call($method, 'x');
                self::fail('It was answered.');
            } catch (ConnectionLost $lost) {
                self::assertTrue($lost->sent);
                self::assertStringContainsString($why, $lost->getMessage());
                self::assertStringContainsString($method, $lost->getMessage());
            }

            try {
                $other->await();
                self::fail('It was answered.');
            } catch (ConnectionLost $lost) {
                self::assertTrue($lost->sent);
            }
            self::assertSame('again', $client->call('Echo', 'again'));
        });
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public static function waysToBreakAConnection(): iterable
    {
        yield 'closed' => ['Close', 'closed'];
        yield 'closed within a frame' => ['Truncate', 'closed'];
        yield 'garbage' => ['Garbage', 'Goridge'];
        yield 'a wrong checksum' => ['WrongChecksum', 'checksum'];
        yield 'a reply shorter than it says' => ['ShortReply', 'shorter'];
    }

    public function testAKilledPeerFailsAllCallsAtOnce(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $futures = [];
            for ($i = 0; $i < 50; $i++) {
                $futures[] = $client->callAsync('Never');
            }
            $start = hrtime(true);
            $this->peer->kill();
            $lost = 0;
            foreach ($futures as $future) {
                try {
                    $future->await();
                } catch (ConnectionLost) {
                    $lost++;
                }
            }
            self::assertSame(50, $lost);
            self::assertLessThan(10.0, (hrtime(true) - $start) / 1e9);

            try {
                $client->call('Echo');
                self::fail('Nobody listens.');
            } catch (ConnectFailed $failed) {
                self::assertStringContainsString($this->peer->address, $failed->getMessage());
                self::assertStringContainsString('gotask serve', $failed->getMessage());
            }
            $this->peer = new Peer('', $this->peer->address);
            self::assertSame('back', $client->call('Echo', 'back'));
        });
    }

    public function testASocketThatAnybodyMayHavePutThereIsNotUsed(): void
    {
        if (posix_geteuid() !== 0) {
            self::markTestSkipped('Only root can give a socket to another user.');
        }
        $folder = sys_get_temp_dir() . '/gotask-' . bin2hex(random_bytes(6));
        mkdir($folder);
        $this->peer->stop();
        $this->peer = new Peer('', "unix://{$folder}/x.sock");
        chown("{$folder}/x.sock", 12_345);

        try {
            $this->within(function (Client $client) use ($folder): void {
                chmod($folder, 0o1777);

                try {
                    $client->call('Echo', 'a secret');
                    self::fail('It was sent.');
                } catch (NotAuthorized $refused) {
                    self::assertStringContainsString('user 12345', $refused->getMessage());
                    self::assertStringContainsString($folder, $refused->getMessage());
                }
                chmod($folder, 0o755);
                self::assertSame(0, $client->call('Calls:Echo'));
                chmod($folder, 0o1777);
                chown("{$folder}/x.sock", 0);
                $client->close();
                self::assertSame('fine', $client->call('Echo', 'fine'));
            });
        } finally {
            $this->peer->stop();
            rmdir($folder);
        }
    }

    public function testAConnectionThatDiedUnnoticedCostsNoCall(): void
    {
        $this->within(function (Client $client): void {
            $observer = new Client($this->peer->address);
            for ($i = 0; $i < 3; $i++) {
                self::assertSame($i, $client->call('AnswerAndClose', $i));
                $observer->call('Connections:1');
                self::assertSame('fine', $client->call('Echo', 'fine'));
            }
        });
    }

    public function testAConnectionThatGoesAwayGetsNoFurtherCall(): void
    {
        $this->within(function (Client $client): void {
            $under = $client->callAsync('Late:0.05', 'under way');
            self::assertSame(1, $client->call('GoAway', 1));
            self::assertSame(2, $client->call('Connections:2'));
            self::assertSame('under way', $under->await());
        });
    }

    public function testWhatABrokerThatEndsRefusedIsSentAgain(): void
    {
        $this->within(function (Client $client): void {
            self::assertSame('x', $client->call('GoAwayAndRefuse', 'x'));
            self::assertSame(['y'], $client->parallel([['GoAwayAndRefuse:2', 'y']]));
        });
    }

    #[DataProvider('sizes')]
    public function testPayloadsOfAnySizePassBothWays(int $size): void
    {
        $this->within(function (Client $client) use ($size): void {
            $payload = $size < 1000 ? str_repeat('x', $size) : random_bytes($size);
            $limit = ini_get('memory_limit');
            ini_set('memory_limit', '1G');
            self::assertTrue($client->call('Echo', new Bytes($payload)) === $payload);
            ini_set('memory_limit', (string) $limit);
        });
    }

    /**
     * @return iterable<string, array{int}>
     */
    public static function sizes(): iterable
    {
        yield 'nothing' => [0];
        yield 'a byte' => [1];
        yield '64 KiB' => [65_536];
        yield '1 MiB' => [1_048_576];
        yield '63 MiB' => [63 * 1_048_576];
    }

    public function testRepliesOfDifferentSizesFollowEachOther(): void
    {
        $this->within(function (Client $client): void {
            foreach ([300_000, 65_536, 2_000_000, 3, 2_000_000, 2_000_000, 40, 0, 100_000, 64_000, 70_000] as $size) {
                foreach ([new Bytes($payload = $size === 0 ? '' : random_bytes($size)), [$payload]] as $sent) {
                    self::assertTrue($client->call('Echo', $sent) === (is_array($sent) ? $sent : $payload), "{$size} bytes");
                }
            }
        });
    }

    public function testLargePayloadsThatCrossDoNotBlockEachOther(): void
    {
        $this->within(function (Client $client): void {
            $payloads = array_map(static fn (int $i): string => str_repeat((string) $i, 6_000_000), range(1, 6));
            $futures = array_map(static fn (string $payload) => $client->callAsync('Echo', $payload), $payloads);
            foreach ($futures as $i => $future) {
                self::assertTrue($future->await() === $payloads[$i]);
            }
        });
    }

    public function testASmallCallPassesWhileALargeOneIsStuck(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $done = [];
            $results = $this->concurrently([
                static fn () => $client->call(static::oneAtATime() ? 'Stall:0.1' : 'Stall:1'),
                static function () use ($client, &$done): int {
                    $length = self::length($client->call('Echo', str_repeat('x', 2_000_000)));
                    $done[] = 'large';

                    return $length;
                },
                static function () use ($client, &$done): void {
                    $client->call('Echo');
                    $done[] = 'small';
                },
            ]);
            self::assertSame(2_000_000, $results[1]);
            self::assertSame(static::oneAtATime() ? ['large', 'small'] : ['small', 'large'], $done);
        });
    }

    public function testAResultThatMemoryCannotHoldFailsThatCallAlone(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $limit = ini_get('memory_limit');
            ini_set('memory_limit', (string) (memory_get_usage(true) + 80_000_000));

            try {
                $other = $client->callAsync('Late:0.05', 'other');

                try {
                    $client->call('Size:50000000');
                    self::fail('It was held.');
                } catch (PayloadTooLarge $large) {
                    self::assertStringContainsString('memory_limit', $large->getMessage());
                }
                self::assertSame('other', $other->await());
                self::assertSame(1_000_000, self::length($client->call('Size:1000000')));

                // It goes as it is.
                self::assertSame(45_000_005, $client->call('Length', str_repeat('x', 45_000_000)));
            } finally {
                ini_set('memory_limit', (string) $limit);
            }
        });
    }

    public function testLimitsOfTheClientHoldBothWays(): void
    {
        $this->within(function (): void {
            $client = new Client($this->peer->address, maxPayload: 100_000);

            try {
                $client->call('Size:200000');
                self::fail('It was taken.');
            } catch (PayloadTooLarge $large) {
                self::assertStringContainsString('maxPayload', $large->getMessage());
            }

            try {
                $client->call('Echo', str_repeat('x', 100_000));
                self::fail('It was sent.');
            } catch (PayloadTooLarge $large) {
                self::assertStringContainsString('not sent', $large->getMessage());
            }
            self::assertSame('fine', $client->call('Echo', 'fine'));
        });
    }

    public function testABrokerGetsDeadlinesAndFlags(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $options = $client->call('Options', null, 5.0);
            self::assertIsArray($options);
            self::assertGreaterThan(4000, $options[0]);
            self::assertLessThanOrEqual(5000, $options[0]);
            self::assertSame(0, $options[1]);
            self::assertSame([[1, 2], ['last' => 'Li']], $client->call('Echo', new Args(1, 2, last: 'Li')));
            $options = $client->call('Options', new Args());
            self::assertIsArray($options);
            self::assertSame(1, $options[1]);
            $client->notify('Echo', 'x');
        });
    }

    public function testTheFirstCallMayBeOneWithFlags(): void
    {
        $this->within(function (Client $client): void {
            self::assertSame([['Jo'], ['last' => 'Li']], $client->service('Service')->echo('Jo', last: 'Li'));
        });
    }

    public function testAPlainPeerGetsNothingButPlainCalls(): void
    {
        $this->peer->stop();
        $this->peer = new Peer('plain');
        $this->within(function (Client $client): void {
            self::assertSame('x', $client->call('Echo', 'x'));
            self::assertNull($client->service('Service')->echo());
            self::assertSame([], $client->call('Options', null, 5.0));
            $client->notify('Echo', 'x');

            try {
                $client->call('Fail');
                self::fail('It did not fail.');
            } catch (RemoteError $error) {
                self::assertStringContainsString('it did not work', $error->getMessage());
            }

            try {
                $client->call('Echo', new Args('x'));
                self::fail('It was sent.');
            } catch (InvalidRequest $invalid) {
                self::assertStringContainsString('plain', $invalid->getMessage());
            }
        });
    }

    public function testErrorsOfTheBrokerAreExceptions(): void
    {
        $this->within(function (Client $client): void {
            try {
                $client->call('Nothing');
                self::fail('There is such a method.');
            } catch (MethodNotFound $error) {
                self::assertSame(['Echo'], $error->getNearest());
                self::assertSame('Nothing', $error->method);
            }
            $this->expectException(Overloaded::class);
            $client->call('Fail:overloaded');
        });
    }

    public function testAValueThatCannotBeEncodedIsNotSent(): void
    {
        $this->within(function (Client $client): void {
            try {
                $client->call('Echo', ['f' => fopen('php://memory', 'r')]);
                self::fail('It was sent.');
            } catch (EncodeFailed) {
            }
            self::assertSame(0, $client->call('Calls:Echo'));
        });
    }

    public function testParallelKeepsKeysAndOrder(): void
    {
        $this->within(function (Client $client): void {
            self::assertSame(
                ['b' => 1, 7 => 2, 'a' => null],
                $client->parallel(['b' => ['Late:0.03', 1], 7 => ['Echo', 2], 'a' => ['Echo']]),
            );
            self::assertSame([], $client->parallel([]));
            $many = static function (): iterable {
                for ($i = 0; $i < 1000; $i++) {
                    yield "k{$i}" => ['Echo', $i];
                }
            };
            $results = $client->parallel($many(), concurrency: 50);
            self::assertSame(range(0, 999), array_values($results));
            self::assertSame('k999', array_key_last($results));
        });
    }

    public function testParallelHasNoMoreUnderWayThanItMay(): void
    {
        $this->within(function (Client $client): void {
            // Three at a time, and as a place becomes free the next one starts: the slow one holds nobody up.
            $start = hrtime(true);
            $calls = [['Late:0.2'], ...array_fill(0, 6, ['Late:0.05'])];
            $client->parallel($calls, concurrency: 3);
            self::assertElapsed(0.2, $start);
            $most = $client->call('Most:Late');
            self::assertSame(3, $most);
        });
    }

    public function testParallelEndsAllCallsBeforeItFails(): void
    {
        $this->within(function (Client $client): void {
            $calls = ['x' => ['Nothing'], 'y' => ['Late:0.03', 'fine'], 'z' => ['Fail:overloaded'], 'e' => ['Echo', fopen('php://memory', 'r')]];

            try {
                $client->parallel($calls);
                self::fail('None failed.');
            } catch (ParallelFailed $failed) {
                self::assertSame(['y' => 'fine'], $failed->results);
                self::assertSame(['x', 'z', 'e'], array_keys($failed->errors));
                self::assertInstanceOf(MethodNotFound::class, $failed->getPrevious());
                self::assertStringContainsString('3 of 4', $failed->getMessage());
            }
            $results = $client->parallel($calls, throw: false);
            self::assertSame(['x', 'y', 'z', 'e'], array_keys($results));
            self::assertInstanceOf(MethodNotFound::class, $results['x']);
            self::assertSame('fine', $results['y']);
        });
    }

    public function testAFutureToldOnceTellsTheSameAgain(): void
    {
        $this->within(function (Client $client): void {
            $good = $client->callAsync('Echo', 'x');
            self::assertSame('x', $good->await());
            self::assertTrue($good->isComplete());
            self::assertSame('x', $good->await());
            $bad = $client->callAsync('Nothing');
            $first = null;

            for ($i = 0; $i < 2; $i++) {
                try {
                    $bad->await();
                    self::fail('It did not fail.');
                } catch (MethodNotFound $error) {
                    self::assertSame($first ??= $error, $error);
                }
            }
        });
    }

    public function testAFutureCanBeCancelled(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $future = $client->callAsync('Never');
            self::assertFalse($future->isComplete());
            $future->cancel();
            self::assertTrue($future->isComplete());
            self::assertCount(1, (array) $client->call('Cancelled:1'));
            $this->expectException(Cancelled::class);
            $future->await();
        });
    }

    #[TestWith([0])]
    #[TestWith([1])]
    public function testWhoAwaitsACallIsToldThatAnotherHasCancelledIt(int $first): void
    {
        if (static::oneAtATime()) {
            $this->expectNotToPerformAssertions();

            return;
        }
        $this->within(function (Client $client) use ($first): void {
            $start = hrtime(true);
            $futures = [$client->callAsync('Never'), $client->callAsync('Never')];
            $callers = [];
            foreach ([0, 1] as $i) {
                $callers[] = static function () use ($futures, $i): bool {
                    try {
                        $futures[$i]->await();
                    } catch (Cancelled) {
                        $futures[1 - $i]->cancel();

                        return true;
                    }

                    return false;
                };
            }
            $callers[] = static function () use ($futures, $first): bool {
                $futures[$first]->cancel();

                return true;
            };
            self::assertSame([true, true, true], $this->concurrently($callers));
            self::assertLessThan(10.0, (hrtime(true) - $start) / 1e9, 'They have not waited until their time was over.');
            self::assertSame('x', $client->call('Echo', 'x'));
        });
    }

    public function testAFailureThatNobodyAwaitsIsLogged(): void
    {
        $logger = new RecordingLogger();
        $this->within(function () use ($logger): void {
            $client = new Client($this->peer->address, logger: $logger);
            $failing = $client->callAsync('Nothing');
            $fine = $client->callAsync('Echo');
            $awaited = $client->callAsync('Nothing');
            $underWay = $client->callAsync('Never');
            $client->call('Late:0.02');

            try {
                $awaited->await();
            } catch (MethodNotFound) {
            }
            unset($failing, $fine, $awaited, $underWay);
            self::assertCount(1, $logger->records);
            self::assertStringContainsString('nobody waited', $logger->records[0]);
        });
    }

    public function testAFailureThatIsThereWhenItsFutureIsDroppedIsLogged(): void
    {
        $logger = new RecordingLogger();
        $this->within(function () use ($logger): void {
            $client = new Client($this->peer->address, logger: $logger);
            for ($pause = 0.1; $logger->records === [] && $pause < 10; $pause *= 2) {
                $failing = $client->callAsync('Nothing');
                usleep((int) ($pause * 1e6));    // by then its answer is there, unless the machine is very busy
                unset($failing);
            }
            self::assertCount(1, $logger->records);
        });
    }

    public function testManyFirstCallersShareOneConnection(): void
    {
        $this->within(function (Client $client): void {
            $this->concurrently(array_fill(0, 20, static fn () => $client->call('Late:0.01')));
            self::assertSame(1, $client->call('Connections'));
        });
    }

    public function testAPingIsAnswered(): void
    {
        $this->within(function (Client $client): void {
            self::assertSame('x', $client->call('Ping:are you there', 'x'));
        });
    }

    public function testItWorksOverTcp(): void
    {
        $this->peer->stop();
        $this->peer = new Peer('', 'tcp://127.0.0.1:0');
        $this->within(function (Client $client): void {
            $results = $this->concurrently(array_map(
                static fn (int $i): Closure => static fn () => $client->call('Echo', $i),
                range(0, 19),
            ));
            self::assertSame(range(0, 19), $results);
            self::assertSame(1, $client->call('Connections'));
            self::assertTrue($client->call('Echo', $large = str_repeat('x', 3_000_000)) === $large);
            $client->call('AnswerAndClose');
        });
    }

    public function testAServerThatAnswersNoHelloOverTcpIsNotWaitedForForEver(): void
    {
        $this->peer->stop();
        $this->peer = new Peer('silent', 'tcp://127.0.0.1:0');
        $this->within(function (): void {
            $start = hrtime(true);

            try {
                (new Client($this->peer->address, connectTimeout: 0.1))->call('Echo');
                self::fail('It was sent.');
            } catch (ConnectFailed $failed) {
                self::assertStringContainsString('does not answer', $failed->getMessage());
            }
            self::assertElapsed(0.1, $start);
            if (! static::oneAtATime()) {
                // Those who wait for the same attempt do not each make it again.
                $start = hrtime(true);
                $client = new Client($this->peer->address, connectTimeout: 0.1);
                $failed = $this->concurrently(array_fill(0, 5, static function () use ($client): bool {
                    try {
                        $client->call('Echo');
                    } catch (ConnectFailed) {
                        return true;
                    }

                    return false;
                }));
                self::assertNotContains(false, $failed);
                self::assertElapsed(0.1, $start);
            }
            $this->expectException(DeadlineExceeded::class);
            (new Client($this->peer->address))->call('Echo', null, 0.05);
        });
    }

    public function testNobodyListeningIsAnErrorAtOnce(): void
    {
        $this->peer->stop();
        $this->within(function (): void {
            foreach (['unix://' . sys_get_temp_dir() . '/gotask-' . bin2hex(random_bytes(6)), 'tcp://127.0.0.1:1'] as $address) {
                try {
                    (new Client($address))->call('Echo');
                    self::fail('Someone listens.');
                } catch (ConnectFailed $failed) {
                    self::assertStringContainsString($address, $failed->getMessage());
                }
            }
        });
    }

    public function testAnErrorHandlerThatHeedsNoSuppressionChangesNothing(): void
    {
        $this->within(function (Client $client): void {
            self::underAStrictHandler(function () use ($client): void {
                $observer = new Client($this->peer->address);
                self::assertSame(1, $client->call('AnswerAndClose', 1));
                $observer->call('Connections:1');
                self::assertSame('fine', $client->call('Echo', 'fine'));

                try {
                    $client->call('Close');
                    self::fail('It was answered.');
                } catch (ConnectionLost $lost) {
                    self::assertStringContainsString('closed', $lost->getMessage());
                }
            });
        });
        $this->peer->stop();
        $this->within(static function (): void {
            self::underAStrictHandler(static function (): void {
                foreach (['unix://' . sys_get_temp_dir() . '/gotask-' . bin2hex(random_bytes(6)) => 'No such file', 'tcp://127.0.0.1:1' => 'refused'] as $address => $why) {
                    try {
                        (new Client($address))->call('Echo');
                        self::fail('Someone listens.');
                    } catch (ConnectFailed $failed) {
                        self::assertStringContainsString($why, $failed->getMessage());
                    }
                }
            });
        });
    }

    public function testWrongArgumentsAreErrorsAtTheCaller(): void
    {
        $this->within(function (Client $client): void {
            $wrong = [
                static fn () => $client->call('Echo', null, 0.0),
                static fn () => $client->call('Echo', null, -1.0),
                static fn () => $client->call('Echo', null, NAN),
                static fn () => $client->call('Echo', null, INF),
                static fn () => $client->parallel([['Echo']], concurrency: 0),
                static fn () => $client->parallel([['Echo']], timeout: 0.0),
                // @phpstan-ignore argument.type
                static fn () => $client->parallel(['Echo']),
                // @phpstan-ignore argument.type
                static fn () => $client->parallel((static fn () => yield 1.5 => ['Echo'])()),
                // @phpstan-ignore argument.type
                static fn () => $client->parallel((static fn () => yield [] => ['Echo'])()),
                // @phpstan-ignore argument.type
                static fn () => $client->parallel((static fn () => yield $client => ['Echo'])()),
                // @phpstan-ignore argument.type
                static fn () => $client->parallel((static fn () => yield null => ['Echo'])()),
            ];
            foreach ($wrong as $i => $call) {
                try {
                    $call();
                    self::fail("Call {$i} was made.");
                } catch (ValueError $error) {
                    self::assertNotSame('', $error->getMessage());
                }
            }
            foreach (['', str_repeat('x', 256)] as $method) {
                try {
                    $client->call($method);
                    self::fail('It was made.');
                } catch (InvalidRequest $error) {
                    self::assertStringContainsString('1 to 255 bytes', $error->getMessage());
                }
            }
        });
    }

    public function testAClosedClientConnectsAgain(): void
    {
        $this->within(function (Client $client): void {
            $future = $client->callAsync('Never');
            $client->close();

            try {
                $future->await();
                self::fail('It was answered.');
            } catch (ConnectionLost $lost) {
                self::assertStringContainsString('closed', $lost->getMessage());
            }
            self::assertSame(1, $client->call('Connections:1'));
        });
    }

    /**
     * @param Closure(Client): void $body
     */
    protected function within(Closure $body): void
    {
        $this->runIn(fn () => $body(new Client($this->peer->address)));
    }
}
