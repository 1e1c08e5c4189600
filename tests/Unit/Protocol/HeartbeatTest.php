<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Protocol;

use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\Stream;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Handshake;
use Reasno\GoTask\Protocol\Session;

/**
 * A broker on another machine says every 5 s that it is there, while calls are outstanding.
 *
 * @internal
 */
final class HeartbeatTest extends TestCase
{
    private const SECOND = 1_000_000_000;

    private const EVERY = 5 * self::SECOND;

    private Session $session;

    protected function setUp(): void
    {
        $this->session = new Session(1000);
        $this->session->expectHeartbeat(self::EVERY, 0);
        $this->session->call(new Call('A', Flag::JSON, '', 0, 3600 * self::SECOND, 3600.0), 0);
    }

    #[TestWith(['{"heartbeat":5}', self::EVERY])]
    #[TestWith(['{"heartbeat":0}', 0])]
    #[TestWith(['{"heartbeat":"5"}', 0])]
    #[TestWith(['{}', 0])]
    #[TestWith(['', 0])]
    public function testTheGreetingSaysHowOften(string $greeting, int $every): void
    {
        self::assertSame($every, Handshake::heartbeat($greeting));
    }

    public function testOneThatMissesThreeIsSilent(): void
    {
        $now = 0;
        foreach ([[false, false], [true, false], [true, false], [true, true]] as $expected) {
            self::assertSame($now + self::EVERY, $this->session->earliest, 'somebody looks when the next one is missed');
            $now += self::EVERY;
            $this->session->expire($now);
            self::assertSame($expected, [$this->session->isLate(), $this->session->isSilent()]);
        }
    }

    public function testWhateverComesIsASignOfLife(): void
    {
        for ($beats = 1; $beats < 10; $beats++) {
            $this->session->receive(Frame::encode(Flag::CONTROL, [], '', Stream::PING));
            $this->session->expire($beats * self::EVERY);
            self::assertFalse($this->session->isLate());
        }
    }

    public function testWhatNobodyListenedForIsNotMissed(): void
    {
        for ($minutes = 1; $minutes < 10; $minutes++) {
            $this->session->expire($minutes * 60 * self::SECOND);
            self::assertFalse($this->session->isLate());
        }
    }

    public function testAPeerThatPromisesNoneIsNeverSilent(): void
    {
        $session = new Session(1000);
        $session->expectHeartbeat(0, 0);
        $session->call(new Call('A', Flag::JSON, '', 0, 3600 * self::SECOND, 3600.0), 0);
        for ($beats = 1; $beats < 10; $beats++) {
            $session->expire($beats * self::EVERY);
            self::assertFalse($session->isSilent());
        }
        self::assertSame(3600 * self::SECOND, $session->earliest);
    }
}
