<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit;

use DateTimeImmutable;
use DateTimeZone;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Testing\FakeGoTask;
use Reasno\GoTask\Time;

use function json_encode;

final class TimeTest extends TestCase
{
    public function testItIsTextInJson(): void
    {
        $time = (new FakeGoTask(['Now' => new DateTimeImmutable('2026-01-02 03:04:05 UTC')]))->call('Now');
        self::assertInstanceOf(Time::class, $time);
        self::assertSame('{"at":"2026-01-02T03:04:05+00:00"}', json_encode(['at' => $time]));
        self::assertSame('"2026-01-02T03:04:05.250000+00:00"', json_encode(new Time('2026-01-02 03:04:05.25 UTC')));
        self::assertSame('"2026-01-02T11:04:05+08:00"', json_encode($time->setTimezone(new DateTimeZone('+08:00'))));
    }

    public function testItIsSentAsTheTimeThatItIs(): void
    {
        $codec = new MessagePackCodec();
        self::assertSame($codec->encode(new DateTimeImmutable('@1')), $codec->encode(new Time('@1')));
    }

    public function testAPayloadWithATimeOfAResultIsTheSame(): void
    {
        $task = new FakeGoTask(['Echo' => static fn (mixed $value): mixed => $value]);
        $task->call('Echo', [$task->call('Echo', new DateTimeImmutable('@1'))]);
        $task->assertCalled('Echo', [new DateTimeImmutable('@1')]);
    }
}
