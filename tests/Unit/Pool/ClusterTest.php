<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Connection;

use function array_count_values;
use function array_filter;
use function array_keys;
use function array_replace;
use function array_unique;
use function count;
use function hrtime;
use function sort;

use const ARRAY_FILTER_USE_KEY;

/**
 * @internal
 */
final class ClusterTest extends ClusterTestCase
{
    protected const ADDRESSES = [self::A, self::B];
    private const A = 'unix:///a';

    private const B = 'unix:///b';

    public function testCallsAreSharedByLoad(): void
    {
        for ($i = 0; $i < 10; $i++) {
            $this->call($this->acquire());
        }
        $counts = array_count_values($this->runtime->connected);
        self::assertSame([self::A => 1, self::B => 1], [self::A => $counts[self::A], self::B => $counts[self::B]]);
        $a = $this->acquireFrom(self::A);
        $b = $this->acquireFrom(self::B);
        self::assertSame([6, 6], [$a->session->count(), $b->session->count()]);
        for ($i = 0; $i < 4; $i++) {
            $this->call($a);
        }
        for ($i = 0; $i < 4; $i++) {
            $least = $this->acquire();
            self::assertSame($b, $least);
            $this->call($least);
        }
    }

    public function testOneThatCannotBeConnectedToIsLeftOutAndTheCallGoesElsewhere(): void
    {
        $this->runtime->down = [self::A];
        self::assertSame(array_fill(0, 6, self::B), $this->addresses(6));
        self::assertCount(1, array_keys($this->runtime->connected, self::A, true));
        // Where there is another way it gets little time.
        $attempt = (int) array_search(self::A, $this->runtime->connected, true);
        self::assertLessThanOrEqual(1.0, $this->runtime->timeouts[$attempt] ?? 0.0);
    }

    public function testOneWhoseConnectionIsLostIsLeftOutUntilItAnswersAProbe(): void
    {
        $a = $this->acquireFrom(self::A);
        $a->close();
        $this->cluster->failed($a, 'gone');
        self::assertSame([self::B], array_unique($this->addresses(4)));
        self::assertSame([], $this->runtime->probed);
        $this->now += self::SECOND;
        self::assertSame([self::B], array_unique($this->addresses(4)));
        self::assertSame([self::A], $this->runtime->probed);
        $this->runtime->probes[self::A] = true;
        $addresses = array_unique($this->addresses(4));
        sort($addresses);
        self::assertSame([self::A, self::B], $addresses);
        self::assertSame([self::A], $this->runtime->probed);
    }

    public function testOneThatDoesNotAnswerAProbeIsAskedLessAndLess(): void
    {
        $a = $this->acquireFrom(self::A);
        $this->cluster->failed($a, 'gone');
        $this->runtime->probes[self::A] = false;
        $asked = [];
        for ($tenths = 0; $tenths < 200; $tenths++) {
            $this->now += self::SECOND / 10;
            self::assertSame(self::B, (string) $this->acquire()->address);
            $asked[] = count($this->runtime->probed);
        }
        // After 0.5, 1, 2, 4 and 8 s, each a quarter more or less.
        self::assertSame(0, $asked[2]);
        self::assertThat($asked[199], self::logicalAnd(self::greaterThanOrEqual(4), self::lessThanOrEqual(5)));
    }

    public function testASuspectIsProbedAtOnceAndTakenBackWhenItAnswers(): void
    {
        $a = $this->acquireFrom(self::A);
        $this->cluster->suspect($a);
        $this->now = (int) hrtime(true);
        self::assertSame([self::B], array_unique($this->addresses(4)));
        self::assertSame([self::A], $this->runtime->probed);
        $this->runtime->probes[self::A] = true;
        self::assertSame($a, $this->acquireFrom(self::A));
    }

    public function testOneThatIsLateGetsNoCallsWhileAnotherIsThereButOneThatIsBackDoes(): void
    {
        $a = $this->acquireFrom(self::A);
        $a->session->expectHeartbeat(1, 0);
        $a->session->expire(1);
        $a->session->expire(2);
        self::assertTrue($a->session->isLate());
        self::assertSame([self::B], array_unique($this->addresses(4)));
        $a->close();
        self::assertSame(self::A, (string) $this->acquireFrom(self::A)->address);
    }

    public function testOneThatDiedWhileNobodyCalledIsNoticedBeforeACallIsSent(): void
    {
        foreach ([self::A, self::B] as $address) {
            $connection = $this->acquireFrom($address);
            self::assertInstanceOf(FakeConnection::class, $connection);
            $connection->flush();
            $connection->alive = $address === self::B;
        }
        self::assertSame([self::B], array_unique($this->addresses(4)));
        $connection->alive = false;
        // None is left: a new connection is opened.
        self::assertTrue($this->acquire()->isUsable());
    }

    public function testWhereAllAreSetAsideEachIsTriedOnceMore(): void
    {
        $this->runtime->down = [self::A, self::B];
        for ($i = 0; $i < 2; $i++) {
            try {
                $this->acquire();
                self::fail('It connected.');
            } catch (ConnectFailed $failed) {
                self::assertStringContainsString('any of unix:///a, unix:///b.', $failed->getMessage());
                self::assertStringContainsString('unix:///a refuses. ', $failed->getMessage() . ' ');
                self::assertStringContainsString('unix:///b refuses.', $failed->getMessage());
            }
        }
        self::assertCount(4, $this->runtime->connected);
        $this->runtime->down = [self::B];
        self::assertSame(self::A, (string) $this->acquire()->address);
    }

    public function testTheTimeToConnectIsSharedAmongThoseThatAreTried(): void
    {
        $this->runtime->down = [self::A, self::B];
        for ($i = 0; $i < 2; $i++) {
            try {
                $this->acquire();
                self::fail('It connected.');
            } catch (ConnectFailed) {
            }
        }
        self::assertCount(4, $this->runtime->timeouts);
        [, , $first, $second] = $this->runtime->timeouts;
        self::assertEqualsWithDelta(4.0, $first, 0.5);
        self::assertEqualsWithDelta(8.0, $second, 0.5);
    }

    public function testAKeyGoesToOneAddressWhileThatIsThere(): void
    {
        $before = $this->ofKeys();
        self::assertEqualsWithDelta(100, array_count_values($before)[self::A], 40);
        self::assertSame($before, $this->ofKeys());
        $this->cluster->failed($this->acquireFrom(self::A), 'it is gone');
        self::assertSame([self::B], array_keys(array_count_values($this->ofKeys())));
        self::assertSame($before, array_replace($before, array_filter($this->ofKeys(), static fn (int $key): bool => $before[$key] === self::B, ARRAY_FILTER_USE_KEY)));
    }

    /**
     * @return array<int, string> the addresses of 200 keys
     */
    private function ofKeys(): array
    {
        $addresses = [];
        for ($key = 1; $key <= 200; $key++) {
            $addresses[$key] = (string) $this->cluster->acquire($this->now + 30 * self::SECOND, $this->now, 'A', $key)->address;
        }

        return $addresses;
    }

    private function acquireFrom(string $address): Connection
    {
        for ($i = 0; $i < 4; $i++) {
            $connection = $this->acquire();
            if ((string) $connection->address === $address) {
                return $connection;
            }
        }
        self::fail("{$address} gets no calls.");
    }

    private function call(Connection $connection): Call
    {
        $call = new Call('A', Flag::JSON, '', 0, $this->now + 30 * self::SECOND, 30.0);
        $connection->submit($call, $this->now);

        return $call;
    }
}
