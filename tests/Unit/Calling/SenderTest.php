<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Calling;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use Psr\Log\NullLogger;
use Reasno\GoTask\Address;
use Reasno\GoTask\Calling\Sender;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Exception\Unavailable;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\MessageKind;
use Reasno\GoTask\Goridge\Stream;
use Reasno\GoTask\Pool\Pool;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Progress;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Exchange;
use Reasno\GoTask\Protocol\FastConnection;
use Reasno\GoTask\Protocol\Methods;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Tests\Unit\Pool\FakeConnection;
use Reasno\GoTask\Tests\Unit\Runtime\Blocking\ScriptedTransport;
use ReflectionClass;
use ReflectionProperty;

use function getmypid;
use function hrtime;

/**
 * @internal
 */
#[CoversClass(Sender::class)]
#[CoversClass(Methods::class)]
final class SenderTest extends SenderTestCase
{
    public function testAResultIsReturnedAndAnErrorThrown(): void
    {
        $this->broker();
        self::assertSame(['a' => 1], $this->call('App.hi', ['a' => 1]));
        $this->expectException(RemoteError::class);
        $this->call('App.fail');
    }

    public function testAnOrdinaryCallIsToldOfItsLossWithoutAskingTheNextBroker(): void
    {
        $first = $this->broker(['App.get']);
        $next = $this->broker(['App.get'], ['App.get', 'App.die']);

        try {
            $this->call('App.die');
            self::fail('It was answered.');
        } catch (ConnectionLost $lost) {
            self::assertTrue($lost->sent);
        }
        self::assertSame(['App.die'], self::called($first));
        self::assertSame([], $next->frames);
        self::assertCount(1, $this->runtime->connected);
    }

    /**
     * @param null|list<string> $told
     */
    #[TestWith([['app.GET']])]
    #[TestWith([null])]
    public function testAnIdempotentCallIsMadeAgain(?array $told): void
    {
        $first = $this->broker($told);
        $this->broker($told, ['App.get']);
        $this->answering('App.get');
        self::assertSame('x', $this->call('App.get'));
        self::assertSame(['App.get'], self::called($first));
        self::assertCount(2, $this->runtime->connected);
    }

    public function testProgressIsToldBeforeTheResultThatCameWithIt(): void
    {
        $transport = $this->broker();
        $call = self::newCall('App.hold');
        $told = [];
        $call->exchange = new Exchange(static function (Progress $progress) use (&$told): void {
            $told[] = $progress->text;
        });
        $this->sender->submit($call);
        $answer = $transport->held[0];
        $transport->held[0] = static function () use ($transport, $call, $answer): void {
            $answer();
            $progress = Frame::encode(Flag::MSGPACK, [$call->sequence, MessageKind::PROGRESS, 0], (new MessagePackCodec())->encode([0.5, 'half', null]), Stream::STREAM);
            $transport->answers = [$progress . implode('', $transport->answers)];
        };
        self::assertSame('x', $this->sender->finish($call));
        self::assertSame('half', implode(', ', $told));
    }

    public function testACallThatHasSaidSomethingIsNotMadeAgain(): void
    {
        $first = $this->broker(['App.get', 'App.hold'], ['App.hold']);
        $this->broker(['App.hold'], ['App.hold']);
        $call = self::newCall('App.hold');
        $this->sender->submit($call);
        $call->exchange = new Exchange();
        $call->exchange->any = true;
        [$first->held, $first->isGone] = [[], true];

        $this->expectException(ConnectionLost::class);
        $this->sender->finish($call);
    }

    public function testAMethodThatIsNoLongerIdempotentIsNotCalledAgain(): void
    {
        $this->broker(['App.get']);
        $next = $this->broker([], []);

        try {
            $this->call('App.get');
            self::fail('It was answered.');
        } catch (ConnectionLost $lost) {
            self::assertTrue($lost->sent);
        }
        self::assertSame(['GoTask.Methods'], self::called($next));
    }

    public function testAnIdempotentCallIsNotMadeAgainForEver(): void
    {
        for ($i = 0; $i < 5; $i++) {
            $this->broker(['App.get'], ['App.get']);
        }
        $this->expectException(ConnectionLost::class);

        try {
            $this->call('App.get');
        } finally {
            self::assertCount(3, $this->runtime->connected);
        }
    }

    public function testACallThatHasNotBeenSentIsSentAgainWhateverItsMethod(): void
    {
        $first = $this->broker();
        $this->call('App.hi');
        $first->isBroken = $first->isGone = true;
        $next = $this->broker();
        self::assertSame('y', $this->call('App.hi', 'y'));
        self::assertSame(['App.hi'], self::called($next));
    }

    public function testWhatABrokerThatEndsRefusesIsSentToTheNextButNotForEver(): void
    {
        $this->broker();
        $next = $this->broker();
        $this->broker();
        $this->expectException(Unavailable::class);

        try {
            $this->call('App.refuse');
        } finally {
            self::assertSame(['App.refuse'], self::called($next));
            self::assertCount(3, $this->runtime->connected);
        }
    }

    public function testACallWhoseExecutorIsGoneIsNoRefusalOfItsBroker(): void
    {
        $this->sender = $this->sender('unix:///nowhere/other.sock');
        $first = $this->broker();
        $this->broker();

        try {
            $this->call('App.onDask');
            self::fail('It has run.');
        } catch (Unavailable $unavailable) {
            self::assertSame(['executor' => 'dask'], $unavailable->data);
        }
        self::assertSame(['App.onDask'], self::called($first), 'no other broker is asked');
        self::assertCount(1, $this->runtime->connected);
    }

    public function testACancelledCallIsNotMadeAgain(): void
    {
        $this->broker(['App.get'], ['App.get']);
        $this->broker(['App.get'], ['App.get']);
        $call = self::newCall('App.get');
        $this->sender->submit($call);
        $call->cancelled = true;
        $this->expectException(ConnectionLost::class);

        try {
            $this->sender->finish($call);
        } finally {
            self::assertCount(1, $this->runtime->connected);
        }
    }

    public function testAForkedChildLeavesTheConnectionsThatItInheritedAlone(): void
    {
        $pool = new Pool($this->runtime, new Settings(5.0, 1, 4, 60.0, 1000, new NullLogger()), Address::parse(self::ADDRESS));
        $now = (int) hrtime(true);
        $parents = $pool->acquire($now + 1_000_000_000, $now, 'A');
        (new ReflectionProperty(Pool::class, 'pid'))->setValue($pool, getmypid() + 1);
        self::assertNotSame($parents, $pool->acquire($now + 1_000_000_000, $now, 'A'));
        self::assertFalse($parents->isOpen());
        self::assertInstanceOf(FakeConnection::class, $parents);
        // It was not shut down, which the parent would feel.
        self::assertSame(0, $parents->disconnected);
    }

    public static function inherited(): Connection
    {
        $connection = (new ReflectionClass(FakeConnection::class))->newInstanceWithoutConstructor();
        (new ReflectionProperty(Connection::class, 'pid'))->setValue($connection, getmypid() + 1);
        (new ReflectionProperty(FastConnection::class, 'session'))->setValue($connection, new Session(1000));

        return $connection;
    }

    /**
     * Has the last broker that was made answer what it would die of.
     */
    private function answering(string $method): void
    {
        $this->runtime->makes = [$this->runtime->makes[0]];
        $transport = new ScriptedTransport(1000, static function (ScriptedTransport $transport, Frame $call, string $called, string $body) use ($method): void {
            $answer = match ($called) {
                $method => $body,
                'GoTask.Methods' => (new MessagePackCodec())->encode([['name' => $method, 'idempotent' => true]]),
                default => '{"protocol":1,"peer":"python"}',
            };
            $transport->answer($call, $answer, $called === Session::HELLO ? Flag::JSON : Flag::MSGPACK);
        });
        $this->connect($transport);
    }
}
