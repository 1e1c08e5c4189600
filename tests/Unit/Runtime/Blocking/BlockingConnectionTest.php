<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Runtime\Blocking;

use Closure;
use LogicException;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Psr\Log\NullLogger;
use Reasno\GoTask\Address;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Pool\Pool;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Blocking\BlockingConnection;
use Reasno\GoTask\Tests\Unit\Pool\FakeRuntime;
use RuntimeException;

use function hrtime;
use function str_repeat;

/**
 * What happens when a signal's handler or a destructor runs in the middle of something, which the transport has it do.
 *
 * @internal
 */
final class BlockingConnectionTest extends TestCase
{
    private const SECOND = 1_000_000_000;

    private ScriptedTransport $transport;

    private BlockingConnection $connection;

    protected function setUp(): void
    {
        $this->transport = new ScriptedTransport();
        $this->connection = self::connection($this->transport);
    }

    #[TestWith(['read'])]
    #[TestWith(['write'])]
    public function testWhatInterruptsAConnectionDoesNotSendOnIt(string $moment): void
    {
        $nested = self::newCall('nested');
        self::at($moment, function () use ($nested): void {
            self::assertTrue($this->connection->isEntered());
            $this->connection->submit($nested, self::now());
            $this->connection->flush();
            $this->connection->receiveNow();
        });
        self::assertSame('outer', $this->call('outer'));
        // It has certainly not run, so that it is sent on another one.
        self::assertSame([CallState::Lost, false], [$nested->state, $nested->sent]);
        self::assertFalse($this->connection->isEntered());
        self::assertSame('next', $this->call('next'));
    }

    public function testACallOfWhatInterruptsOneHasAConnectionOfItsOwn(): void
    {
        $runtime = new FakeRuntime();
        $runtime->makes = [$this->connection, self::connection(new ScriptedTransport()), self::connection(new ScriptedTransport())];
        $pool = new Pool($runtime, new Settings(5.0, 1, 1, 10.0, 1000, new NullLogger()), Address::parse('unix:///nowhere'));
        $call = static function (string $body) use ($pool): string {
            $pending = self::newCall($body);
            $connection = $pool->acquire($pending->deadline, self::now(), 'Echo');
            $connection->submit($pending, self::now());
            $connection->await($pending);

            return $pending->reply;
        };
        $nested = [];
        $this->transport->onRead = static function () use ($call, &$nested): void {
            $nested[] = $call('first');
            $nested[] = $call('second');
        };
        self::assertSame('outer', $call('outer'));
        self::assertSame(['first', 'second'], $nested);
        self::assertSame(2, $pool->opened);
        // What is open is used further, by both.
        self::assertSame('next', $call('next'));
        self::assertSame(2, $pool->opened);
    }

    public function testACallWithinTheOpeningOfAConnectionOpensOneOfItsOwn(): void
    {
        $runtime = new FakeRuntime();
        $pool = new Pool($runtime, new Settings(5.0, 1, 1, 10.0, 1000, new NullLogger()), Address::parse('unix:///nowhere'));
        $nested = null;
        $runtime->onConnect = static function () use ($pool, &$nested): void {
            $nested = $pool->acquire(self::now() + self::SECOND, self::now(), 'Echo');
        };
        self::assertNotSame($pool->acquire(self::now() + self::SECOND, self::now(), 'Echo'), $nested);
        self::assertNotNull($nested);
        self::assertCount(2, $runtime->connected);
    }

    #[TestWith(['read'])]
    #[TestWith(['write'])]
    public function testAConnectionThatAnExceptionLeftHalfWayIsClosed(string $moment): void
    {
        $other = self::newCall('other');
        $this->connection->submit($other, self::now());
        self::at($moment, static fn () => throw new RuntimeException('Time is over.'));

        try {
            $this->call(str_repeat('x', 100));
            self::fail('The exception was swallowed.');
        } catch (RuntimeException $thrown) {
            self::assertSame('Time is over.', $thrown->getMessage());
        }
        self::assertFalse($this->connection->isOpen());
        self::assertFalse($this->connection->isEntered());
        self::assertTrue($this->transport->closed);
        self::assertSame(CallState::Lost, $other->state);
        self::assertStringContainsString('interrupted', $other->reply);
    }

    public function testOneThatIsInterruptedOnceMoreWhileItIsClosedIsStillLetGoOf(): void
    {
        $this->transport->onRead = static fn () => throw new RuntimeException('Time is over.');
        $this->transport->onClose = static fn () => throw new RuntimeException('It really is.');

        try {
            $this->call('x');
            self::fail('The exception was swallowed.');
        } catch (RuntimeException $thrown) {
            self::assertSame('It really is.', $thrown->getMessage());
        }
        self::assertFalse($this->connection->isOpen());
        self::assertFalse($this->connection->isEntered());
    }

    public function testACallIsCancelledWhenItsWaitingIsInterruptedBetweenTwoReads(): void
    {
        $call = self::newCall('outer');
        $this->connection->submit($call, self::now());
        $this->transport->onRead = function () use ($call): void {
            $this->connection->cancel($call);
            self::assertSame(CallState::Cancelled, $call->state);
        };
        $this->connection->await($call);
        self::assertSame(CallState::Cancelled, $call->state);
        self::assertSame(0, $this->connection->session->count());
        self::assertSame('next', $this->call('next'));
    }

    public function testWhatIsClosedInTheMiddleOfAReadIsClosedAfterIt(): void
    {
        $this->transport->onRead = function (): void {
            $this->connection->close('as asked');
            self::assertFalse($this->transport->closed);
        };
        $call = self::newCall(str_repeat('x', 100));
        $this->connection->submit($call, self::now());
        $this->connection->await($call);
        self::assertSame([CallState::Lost, 'as asked'], [$call->state, $call->reply]);
        self::assertFalse($this->connection->isOpen());
    }

    public function testTheAnswerThatIsBeingReadCanNotBeAwaitedWithinThat(): void
    {
        $call = self::newCall('outer');
        $this->connection->submit($call, self::now());
        $refused = null;
        $this->transport->onRead = function () use ($call, &$refused): void {
            try {
                $this->connection->await($call);
            } catch (LogicException $refused) {
            }
        };
        $this->connection->await($call);
        self::assertInstanceOf(LogicException::class, $refused);
        self::assertSame('outer', $call->reply);
    }

    /**
     * @param Closure(): void $do
     */
    private function at(string $moment, Closure $do): void
    {
        if ($moment === 'read') {
            $this->transport->onRead = $do;
        } else {
            $this->transport->onWrite = $do;
        }
    }

    private function call(string $body): string
    {
        $call = self::newCall($body);
        $this->connection->submit($call, self::now());
        $this->connection->await($call);

        return $call->reply;
    }

    private static function connection(ScriptedTransport $transport): BlockingConnection
    {
        return new BlockingConnection(new Session(1_000_000), Address::parse('unix:///nowhere'), $transport);
    }

    private static function newCall(string $body): Call
    {
        return new Call('Echo', Flag::RAW, $body, 0, self::now() + 5 * self::SECOND, 5.0);
    }

    private static function now(): int
    {
        return (int) hrtime(true);
    }
}
