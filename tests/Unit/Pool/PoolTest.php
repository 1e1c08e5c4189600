<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use ErrorException;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Psr\Log\NullLogger;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\Stream;
use Reasno\GoTask\Hints;
use Reasno\GoTask\Pool\Pool;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\StatusFile;
use Reasno\GoTask\Process\Status\WorkerStatus;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Runtime\Stream\StreamConnector;
use Reasno\GoTask\Tls;

use function bin2hex;
use function hrtime;
use function random_bytes;
use function str_repeat;
use function sys_get_temp_dir;

/**
 * @internal
 */
final class PoolTest extends TestCase
{
    private const SECOND = 1_000_000_000;

    private FakeRuntime $runtime;

    private Pool $pool;

    private int $now;

    protected function setUp(): void
    {
        $this->runtime = new FakeRuntime();
        $this->pool = new Pool($this->runtime, new Settings(
            connectTimeout: 5.0,
            minConnections: 1,
            maxConnections: 3,
            maxIdleTime: 10.0,
            maxPayload: 1000,
            logger: new NullLogger(),
        ), Address::parse('unix:///nowhere'));
        $this->now = (int) hrtime(true);
    }

    public function testOneConnectionServesAllUntilItIsBusy(): void
    {
        $first = $this->acquire();
        self::call($first);
        self::assertSame($first, $this->acquire());
        self::assertSame(1, $this->pool->count());
    }

    public function testAnotherIsOpenedWhileAllAreBusyUpToTheLimit(): void
    {
        [$first, $second] = [$this->busy(100_000), $this->busy(300_000)];
        self::assertNotSame($first, $second);
        $third = $this->busy(200_000);
        self::assertSame(3, $this->pool->count());
        // The least busy.
        self::assertSame($first, $this->acquire());
        $third->flush();
        self::assertSame($third, $this->acquire());
        self::assertSame(3, $this->pool->count());
    }

    public function testManyOutstandingCallsMakeItBusyToo(): void
    {
        $first = $this->acquire();
        for ($i = 0; $i < 512; $i++) {
            self::call($first);
        }
        self::assertNotSame($first, $this->acquire());
    }

    public function testABusyOneIsBetterThanNone(): void
    {
        $first = $this->busy(100_000);
        $this->runtime->refuses = true;
        self::assertSame($first, $this->acquire());
    }

    public function testOneThatDiesOrGoesAwayIsReplaced(): void
    {
        $first = $this->acquire();
        $first->close();
        $second = $this->acquire();
        self::assertNotSame($first, $second);
        $call = self::call($second);
        $second->session->receive(Frame::encode(Flag::CONTROL, [0], '', Stream::STOP));
        $third = $this->acquire();
        self::assertNotSame($second, $third);
        self::assertSame(1, $this->pool->count());
        self::assertTrue($second->isOpen());
        self::assertSame(0, $second->disconnected);
        self::assertSame('Waiting', $call->state->name);
    }

    public function testOneThatWasIdleIsAskedWhetherItLives(): void
    {
        $first = $this->acquire();
        $first->flush();
        $first->alive = false;
        self::assertSame($first, $this->acquire());
        $this->now += 2 * self::SECOND;
        self::assertNotSame($first, $this->acquire());
    }

    public function testSurplusConnectionsAreClosedWhenTheyWereIdle(): void
    {
        [$first, $second] = [$this->busy(100_000), $this->busy(100_000)];
        foreach ([$first, $second] as $connection) {
            $connection->flush();
        }
        $this->now += 11 * self::SECOND;
        self::assertSame($first, $this->acquire());
        self::assertSame([0, 1], [$first->disconnected, $second->disconnected]);
        self::assertSame(1, $this->pool->count());
    }

    public function testAnIdleOneIsNotClosedWhileItIsTheOnlyFreeOne(): void
    {
        [$first, $second] = [$this->busy(100_000), $this->busy(100_000)];
        $second->flush();
        $this->now += 11 * self::SECOND;
        self::assertSame($second, $this->acquire());
        self::assertSame([0, 0], [$first->disconnected, $second->disconnected]);
    }

    public function testConnectingTakesNoLongerThanTheCallThatNeedsIt(): void
    {
        $this->runtime->refuses = true;

        try {
            $this->pool->acquire($this->now + 2 * self::SECOND, $this->now, 'A');
            self::fail('It connected.');
        } catch (ConnectFailed) {
        }
        self::assertEqualsWithDelta(2.0, $this->runtime->timeouts[0], 0.5);
        $this->runtime->refuses = false;
        $this->acquire();
        self::assertEqualsWithDelta(5.0, $this->runtime->timeouts[1], 0.5);
        $this->pool->close();
        $this->expectException(DeadlineExceeded::class);
        $this->pool->acquire($this->now - 1, $this->now, 'A');
    }

    #[DataProvider('states')]
    public function testWhoCanNotConnectIsToldHowTheWorkerIsAndWhatToDo(?WorkerStatus $status, string $expected): void
    {
        $address = Address::parse('unix://' . sys_get_temp_dir() . '/gotask-' . bin2hex(random_bytes(6)) . '.sock');
        $file = new StatusFile((string) $address);
        if ($status !== null) {
            $file->write($status);
        }
        $runtime = new FakeRuntime();
        $runtime->refuses = true;
        $hints = new Hints(start: '`php bin/hyperf.php start` starts it.', wait: 'gotask.workers.default.pool.connect_timeout');
        $pool = new Pool($runtime, new Settings(5.0, 1, 1, 10.0, 1000, new NullLogger(), hints: $hints), $address);

        try {
            $now = (int) hrtime(true);
            $pool->acquire($now + 30 * self::SECOND, $now, 'A', 0, $now + 100_000_000);
            self::fail('It connected.');
        } catch (ConnectFailed $failed) {
            self::assertStringContainsString((string) $address, $failed->getMessage());
            self::assertStringContainsString($expected, $failed->getMessage());
        } finally {
            $file->remove();
        }
    }

    /**
     * @return iterable<string, array{?WorkerStatus, string}>
     */
    public static function states(): iterable
    {
        yield 'nobody looks after one' => [null, 'No worker runs there: start it, or correct the address. `php bin/hyperf.php start` starts it.'];
        yield 'it is loading' => [
            WorkerStatus::of(Availability::Starting, 'it ended with exit code 1', 0, 0),
            'still starting: it ended with exit code 1. Calls wait for it until 5 s are over (gotask.workers.default.pool.connect_timeout)',
        ];
        yield 'it should take calls' => [WorkerStatus::of(Availability::Ready, '', 0, 17), 'supervisor (process 17) says that it is ready'];
    }

    /**
     * @param string $refusal the system's words
     */
    #[TestWith(['Permission denied', 'may not open the socket', false])]
    #[TestWith(['Permission denied', 'GOTASK_SOCKET_GROUP', true])]
    #[TestWith(['no TLS: error:0A000086:SSL routines::certificate verify failed', 'GOTASK_TLS_CA', false])]
    #[TestWith(["no TLS: Peer certificate CN=`a' did not match expected CN=`b'", 'peerName', true])]
    public function testWhatOnlyTheOwnersOfTheTwoSidesCanMendIsSaidAtOnceAndNotThatNobodyRunsThere(string $refusal, string $remedy, bool $isAnnounced): void
    {
        $address = Address::parse('unix://' . sys_get_temp_dir() . '/gotask-' . bin2hex(random_bytes(6)) . '.sock');
        $file = new StatusFile((string) $address);
        if ($isAnnounced) {
            $file->write(WorkerStatus::of(Availability::Ready, '', 0, 17));
        }
        $runtime = new FakeRuntime();
        $runtime->refuses = true;
        $runtime->refusal = "says: {$refusal}";
        $pool = new Pool($runtime, new Settings(5.0, 1, 1, 10.0, 1000, new NullLogger()), $address);

        try {
            $pool->acquire($this->now + 30 * self::SECOND, $this->now, 'A');
            self::fail('It connected.');
        } catch (ConnectFailed $failed) {
            self::assertStringContainsString("{$refusal}. ", $failed->getMessage());
            self::assertStringContainsString($remedy, $failed->getMessage());
            self::assertStringNotContainsString('No worker runs', $failed->getMessage());
            self::assertCount(1, $runtime->connected, 'Waiting mends it not.');
        } finally {
            $file->remove();
        }
    }

    public function testAClosedPoolOpensAnew(): void
    {
        $first = $this->acquire();
        $this->pool->close();
        self::assertSame(1, $first->disconnected);
        self::assertNotSame($first, $this->acquire());
    }

    private function acquire(): FakeConnection
    {
        $connection = $this->pool->acquire($this->now + 30 * self::SECOND, $this->now, 'A');
        self::assertInstanceOf(FakeConnection::class, $connection);

        return $connection;
    }

    private function busy(int $bytes): FakeConnection
    {
        $connection = $this->acquire();
        $connection->flush();
        $connection->session->sendBuffer->append(str_repeat('x', $bytes));

        return $connection;
    }

    private static function call(FakeConnection $connection): Call
    {
        $call = new Call('A', Flag::JSON, '', 0, 30 * self::SECOND, 30.0);
        $connection->submit($call, 0);

        return $call;
    }

    #[TestWith(['tcp://127.0.0.1:1'])]
    #[TestWith(['unix:///no/such/folder/gotask.sock'])]
    public function testAnErrorHandlerThatThrowsForSuppressedWarningsDoesNotKeepAFailureFromBeingExplained(string $address): void
    {
        set_error_handler(static fn (int $level, string $message) => throw new ErrorException($message));

        try {
            StreamConnector::connect(Address::parse($address), new Tls(), 1.0);
            self::fail('It connected.');
        } catch (ConnectFailed $failed) {
            self::assertStringContainsString("Cannot connect to {$address}", $failed->getMessage());
        } finally {
            restore_error_handler();
        }
    }
}
