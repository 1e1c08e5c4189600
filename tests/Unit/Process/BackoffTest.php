<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Process\Supervision\Backoff;

/**
 * @internal
 */
#[CoversClass(Backoff::class)]
final class BackoffTest extends TestCase
{
    public function testAllowsFiveStartsInTenSecondsThenGrowsToThirtySeconds(): void
    {
        $backoff = new Backoff();
        $now = 100.0;
        $delays = [];
        for ($start = 0; $start < 13; $start++) {
            $delays[] = $delay = $backoff->delay($now);
            $now += $delay + 0.1;
        }

        self::assertSame([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0], $delays);
        self::assertTrue($backoff->isDelaying());
    }

    public function testStartsFarApartAreNeverDelayed(): void
    {
        $backoff = new Backoff();
        for ($start = 0; $start < 50; $start++) {
            self::assertSame(0.0, $backoff->delay(100.0 + 2.6 * $start));
        }
    }

    public function testARunAsLongAsTheWindowForgetsThePast(): void
    {
        $backoff = new Backoff();
        for ($start = 0; $start < 8; $start++) {
            $backoff->delay(100.0);
        }

        self::assertSame(0.0, $backoff->delay(200.0, uptime: 10.0));
        self::assertFalse($backoff->isDelaying());
    }

    public function testAShortRunAfterALongDelayForgetsNothing(): void
    {
        $backoff = new Backoff();
        for ($start = 0; $start < 12; $start++) {
            $backoff->delay(100.0);
        }

        self::assertSame(30.0, $backoff->delay(1000.0, uptime: 9.9));
    }
}
