<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Calling;

use PHPUnit\Framework\Attributes\CoversClass;
use Reasno\GoTask\Calling\PendingFuture;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Tests\Integration\Client\RecordingLogger;

/**
 * @internal
 */
#[CoversClass(PendingFuture::class)]
final class PendingFutureTest extends SenderTestCase
{
    private RecordingLogger $logger;

    protected function setUp(): void
    {
        parent::setUp();
        $this->logger = new RecordingLogger();
    }

    public function testItGivesTheSameResultOrFailureAsOftenAsItIsAwaited(): void
    {
        $this->broker();
        $future = $this->future('App.hi');
        self::assertFalse($future->isComplete());
        self::assertSame(['x', 'x'], [$future->await(), $future->await()]);
        self::assertTrue($future->isComplete());
        $failing = $this->future('App.fail');
        $failures = [];
        for ($i = 0; $i < 2; $i++) {
            try {
                $failing->await();
                self::fail('It did not fail.');
            } catch (RemoteError $failure) {
                $failures[] = $failure;
            }
        }
        self::assertSame($failures[0], $failures[1]);
        unset($failing);
        self::assertSame([], $this->logger->records);
    }

    public function testAFailureThatNobodyAwaitedIsLogged(): void
    {
        $this->broker();
        $future = $this->future('App.fail');
        unset($future);
        self::assertCount(1, $this->logger->records);
        self::assertStringContainsString('nobody waited', (string) json_encode($this->logger->records));
    }

    public function testAResultThatNobodyAwaitedIsNotDecoded(): void
    {
        $this->broker();
        $undecodable = function (): PendingFuture {
            $call = new Call('App.hi', Flag::MSGPACK, "\xc1", 0, (int) hrtime(true) + 5_000_000_000, 5.0);
            $this->sender->submit($call);

            return new PendingFuture($this->sender, $call, $this->logger);
        };
        $future = $undecodable();
        unset($future);
        self::assertSame([], $this->logger->records);
        $this->expectException(DecodeFailed::class);
        $undecodable()->await();
    }

    public function testACancelledCallIsTakenBackAndNothingIsLoggedOfIt(): void
    {
        $transport = $this->broker();
        $future = $this->future('App.never');
        $future->cancel();
        self::assertTrue($future->isComplete());
        self::assertSame(1, self::stops($transport));
        try {
            $future->await();
            self::fail('It was answered.');
        } catch (Cancelled) {
        }
        $dropped = $this->future('App.fail');
        $dropped->cancel();
        unset($dropped);
        self::assertSame([], $this->logger->records);
    }

    public function testACallThatIsUnderWayGoesOnWithoutItsFuture(): void
    {
        $transport = $this->broker();
        $future = $this->future('App.never');
        unset($future);
        self::assertSame([], $this->logger->records);
        self::assertSame(0, self::stops($transport));
        self::assertSame('y', $this->call('App.hi', 'y'));
    }

    public function testTheCallsOfTheParentAreNoneOfAForkedChildsBusiness(): void
    {
        $this->broker();
        $call = self::newCall('App.fail');
        $this->sender->submit($call);
        $call->connection?->receiveNow();
        $call->connection = SenderTest::inherited();
        $future = new PendingFuture($this->sender, $call, $this->logger);
        unset($future);
        self::assertSame([], $this->logger->records);
    }

    private function future(string $method): PendingFuture
    {
        $call = self::newCall($method);
        $this->sender->submit($call);

        return new PendingFuture($this->sender, $call, $this->logger);
    }
}
