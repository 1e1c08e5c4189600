<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Pool\Balancer;

use function array_count_values;

/**
 * @internal
 */
final class BalancerTest extends TestCase
{
    private const SECOND = 1_000_000_000;

    private const HALF = 500_000_000;

    private float $random = 0.5;

    private Balancer $balancer;

    protected function setUp(): void
    {
        $this->balancer = new Balancer(3, fn (): float => $this->random);
    }

    public function testTheLeastLoadedIsChosen(): void
    {
        self::assertSame(1, $this->balancer->choose([5, 2, 3]));
        self::assertSame(1, $this->balancer->choose([5, 2, 3]));
        self::assertSame(2, $this->balancer->choose([0 => 5, 2 => 3]));
    }

    public function testEqualsTakeTurns(): void
    {
        $chosen = [];
        for ($i = 0; $i < 6; $i++) {
            $chosen[] = (int) $this->balancer->choose([1, 1, 1]);
        }
        self::assertSame([2, 2, 2], [...array_count_values($chosen)]);
    }

    public function testProcessesDoNotAllBeginWithTheFirst(): void
    {
        $first = [];
        foreach ([0.0, 0.34, 0.67, 1.0] as $this->random) {
            $first[] = (new Balancer(3, fn (): float => $this->random))->choose([0, 0, 0]);
        }
        self::assertSame([1, 2, 0, 1], $first);
    }

    public function testOneThatFailedIsNotChosenUntilItAnswers(): void
    {
        $this->balancer->fail(1, 0);
        self::assertTrue($this->balancer->isAside(1));
        self::assertNotSame(1, $this->balancer->choose([9, 0, 9]));
        self::assertNull($this->balancer->choose([1 => 0]));
        self::assertSame([], $this->balancer->due(self::HALF - 1));
        self::assertSame([1], $this->balancer->due(self::HALF));
        $this->balancer->restore(1, self::SECOND);
        self::assertSame(1, $this->balancer->choose([9, 0, 9]));
        self::assertFalse($this->balancer->hasAside());
    }

    public function testThePauseDoublesUpToABound(): void
    {
        $now = 0;
        $pauses = [];
        for ($i = 0; $i < 8; $i++) {
            $this->balancer->fail(0, $now);
            $pauses[] = $this->pause($now);
            $now += 60 * self::SECOND;
        }
        self::assertSame([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0], $pauses);
    }

    public function testThePauseIsAQuarterMoreOrLess(): void
    {
        $this->random = 0.0;
        $this->balancer->fail(0, 0);
        $this->random = 1.0;
        $this->balancer->fail(1, 0);
        self::assertSame([], $this->balancer->due(374_999_999));
        self::assertSame([0], $this->balancer->due(624_999_999));
        self::assertSame([0, 1], $this->balancer->due(625_000_000));
    }

    public function testOneThatFailsAgainSoonHasNotRecovered(): void
    {
        $this->balancer->fail(0, 0);
        $this->balancer->restore(0, self::SECOND);
        $this->balancer->fail(0, $now = self::SECOND + 499_999_999);
        self::assertSame(1.0, $this->pause($now));
        $this->balancer->restore(0, $now);
        $now += 2 * self::SECOND;
        $this->balancer->fail(0, $now);
        self::assertSame(0.5, $this->pause($now));
    }

    public function testASuspectIsAskedAtOnce(): void
    {
        $this->balancer->suspect(2, 7);
        self::assertSame([2], $this->balancer->due(7));
        self::assertNotSame(2, $this->balancer->choose([1, 1, 0]));
        $this->balancer->fail(2, 8);
        self::assertSame(0.5, $this->pause(8));
    }

    public function testOfThoseSetAsideTheOneToBeAskedFirstIsTried(): void
    {
        $this->balancer->fail(0, 0);
        $this->balancer->fail(0, 0);
        $this->balancer->fail(1, 0);
        $this->balancer->fail(2, 1);
        self::assertSame(1, $this->balancer->soonest([1, 1, 1]));
        self::assertSame(2, $this->balancer->soonest([0 => 1, 2 => 1]));
        self::assertNull($this->balancer->soonest([]));
    }

    /**
     * Seconds until one is due, to the half.
     */
    private function pause(int $now): float
    {
        for ($halves = 1; $halves < 100; $halves++) {
            if ($this->balancer->due($now + $halves * self::HALF) !== []) {
                return $halves / 2;
            }
        }

        return 0.0;
    }
}
