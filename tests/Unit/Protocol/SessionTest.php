<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Protocol;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;
use Reasno\GoTask\Goridge\Stream;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Calls;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\FastCalls;
use Reasno\GoTask\Protocol\Peer;
use Reasno\GoTask\Protocol\Session;
use ReflectionProperty;

use function implode;
use function is_string;
use function json_encode;
use function str_repeat;
use function strlen;
use function substr;

use const PHP_INT_MAX;

/**
 * @internal
 */
final class SessionTest extends TestCase
{
    private const SECOND = 1_000_000_000;

    private const BROKER = ['protocol' => 1, 'peer' => 'python', 'version' => '0.1.0', 'max_payload' => 1000];

    public function testRepliesFindTheirCallsInAnyOrder(): void
    {
        $session = new Session(1000);
        $calls = [self::newCall('A'), self::newCall('B'), self::newCall('C')];
        foreach ($calls as $call) {
            $session->call($call, 0);
        }
        $session->receive(self::reply($calls[2], 'c') . self::reply($calls[0], 'a'));
        self::assertSame(
            [[CallState::Replied, 'a'], [CallState::Waiting, ''], [CallState::Replied, 'c']],
            [[$calls[0]->state, $calls[0]->reply], [$calls[1]->state, $calls[1]->reply], [$calls[2]->state, $calls[2]->reply]],
        );
        self::assertSame(1, $session->count());
        // A second answer, and one to nobody.
        $session->receive(self::reply($calls[0], 'again') . Frame::call(99, 'X', Flag::JSON, ''));
        self::assertSame('a', $calls[0]->reply);
    }

    public function testSequencesWrapAndSkipThoseOutstanding(): void
    {
        $session = new Session(1000);
        $first = self::newCall('first');
        $session->call($first, 0);
        (new ReflectionProperty(Calls::class, 'sequence'))->setValue($session, 0x3FFFFFFE);
        $sequences = [];
        foreach (['A', 'B', 'C'] as $method) {
            $call = self::newCall($method);
            $session->call($call, 0);
            $sequences[] = $call->sequence;
        }
        self::assertSame([0x3FFFFFFF, 2, 3], $sequences);
        self::assertSame(1, $first->sequence);
    }

    public function testSequencesOfTheFastPathWrapAndSkipThoseOutstanding(): void
    {
        $session = new Session(1000);
        $session->message([$first = self::newCall('first')], 0);
        (new ReflectionProperty(FastCalls::class, 'lastSequence'))->setValue($session, 0x7FFFFFFE);
        $message = $session->message([$second = self::newCall('second', 5 * self::SECOND), $late = self::newCall('late', -self::SECOND)], 0);
        self::assertSame([0x40000000, 0x40000001, 0x40000002], [$first->sequence, $second->sequence, $late->sequence]);
        self::assertSame(
            substr($message, 8),
            Frame::call(0x40000001, 'second', $second->codec, $second->body, 5_000) . Frame::call(0x40000002, 'late', $late->codec, $late->body, 1),
        );
    }

    public function testOnlyABrokerIsToldDeadlinesAndFlags(): void
    {
        $session = new Session(1000);
        self::assertCount(2, self::frame($session->call(self::newCall('A', 5 * self::SECOND), 0))->options);
        self::greet($session, self::BROKER);
        self::assertSame(Peer::Broker, $session->peer);
        self::assertSame(1000, $session->maxPayload);
        $frame = self::frame($session->call(self::newCall('A', 5 * self::SECOND, 1), 2 * self::SECOND));
        self::assertSame([3000, 1], [$frame->options[2], $frame->options[3]]);
        // One that is over is not one without a deadline.
        self::assertSame(1, self::frame($session->call(self::newCall('A', self::SECOND), 2 * self::SECOND))->options[2]);
    }

    /**
     * @param array<string, mixed>|string $said
     */
    #[DataProvider('plainPeers')]
    public function testWhoDoesNotSayThatItIsABrokerIsAPlainPeer(array|string $said, int $flags): void
    {
        $session = new Session(1000);
        self::greet($session, $said, $flags);
        self::assertSame(Peer::Plain, $session->peer);
        $call = self::newCall('A');
        self::assertCount(2, self::frame($session->call($call, 0))->options);
        $session->cancel($call);
        self::assertSame(0, $session->sendBuffer->length);
    }

    /**
     * @return iterable<string, array{array<string, mixed>|string, int}>
     */
    public static function plainPeers(): iterable
    {
        yield 'an error' => ['no such method', Flag::JSON | Flag::ERROR];
        yield 'an echo' => [['protocol' => 1, 'peer' => 'php', 'version' => '0.1.0'], Flag::JSON];
        yield 'no JSON' => ['{', Flag::JSON];
        yield 'a list' => ['[1]', Flag::JSON];
        yield 'no protocol' => [['peer' => 'python'], Flag::JSON];
        yield 'protocol 0' => [['protocol' => 0, 'peer' => 'python'], Flag::JSON];
    }

    public function testAGivenUpCallIsCancelledAtTheBrokerAndItsAnswerDropped(): void
    {
        $session = new Session(1000);
        self::greet($session, self::BROKER);
        $call = self::newCall('A');
        $session->call($call, 0);
        $session->cancel($call);
        $session->cancel($call);
        $frame = self::frame($session->sendBuffer->next());
        self::assertSame([Flag::CONTROL, Stream::STOP, [$call->sequence]], [$frame->flags, $frame->stream, $frame->options]);
        $session->receive(self::reply($call, 'late'));
        self::assertSame([CallState::Cancelled, ''], [$call->state, $call->reply]);
    }

    public function testABrokerIsToldOfTheCallsThatWereGivenUpBeforeItWasKnown(): void
    {
        $session = new Session(1000);
        $hello = self::newCall(Session::HELLO, PHP_INT_MAX);
        $session->greet($hello);
        [$expired, $waiting, $cancelled] = [self::newCall('A'), self::newCall('B', PHP_INT_MAX), self::newCall('C', PHP_INT_MAX)];
        foreach ([$expired, $waiting, $cancelled] as $call) {
            $session->call($call, 0);
        }
        $session->expire(self::SECOND);
        $session->cancel($cancelled);
        $session->sendBuffer->clear();
        $session->receive(self::reply($hello, (string) json_encode(self::BROKER)));
        $decoder = new FrameDecoder();
        $decoder->feed($session->sendBuffer->next());
        $stopped = [];
        while (($frame = $decoder->next()) !== null) {
            self::assertInstanceOf(Frame::class, $frame);
            self::assertSame([Flag::CONTROL, Stream::STOP], [$frame->flags, $frame->stream]);
            $stopped = [...$stopped, ...$frame->options];
        }
        self::assertSame([$expired->sequence, $cancelled->sequence], $stopped);
    }

    public function testAPlainPeerIsNotToldOfCallsThatWereGivenUp(): void
    {
        $session = new Session(1000);
        $hello = self::newCall(Session::HELLO, PHP_INT_MAX);
        $session->greet($hello);
        $session->call(self::newCall('A'), 0);
        $session->expire(self::SECOND);
        $session->sendBuffer->clear();
        $session->receive(Frame::call($hello->sequence, Session::HELLO, Flag::JSON | Flag::ERROR, ''));
        self::assertSame([Peer::Plain, 0], [$session->peer, $session->sendBuffer->length]);
    }

    public function testTheTailOfALargeCallFollowsItsBody(): void
    {
        $session = new Session(1000);
        $call = new Call('Large', Flag::MSGPACK, "\xc6\0\4\x93\xe0", 0, self::SECOND, 1.0, str_repeat('x', 300_000));
        $session->enqueue($call, 0);
        $written = '';
        while (($bytes = $session->sendBuffer->next()) !== '') {
            $written .= $bytes;
            $session->sendBuffer->advance(strlen($bytes));
        }
        self::assertTrue($written === Frame::call($call->sequence, 'Large', Flag::MSGPACK, $call->body . $call->tail));
        self::assertSame(strlen($written), $call->large);
    }

    public function testALargeCallWithATailThatIsGivenUpBeforeItIsBegunIsNotWritten(): void
    {
        $session = new Session(1000);
        $session->sendBuffer->append($session->call(self::newCall('first'), 0));
        $call = new Call('Large', Flag::MSGPACK, "\xc6\0\4\x93\xe0", 0, self::SECOND, 1.0, str_repeat('x', 300_000));
        $before = $session->sendBuffer->length;
        $session->enqueue($call, 0);
        $session->cancel($call);
        self::assertSame($before, $session->sendBuffer->length);
    }

    public function testALargeCallThatIsGivenUpBeforeItIsBegunIsNotWritten(): void
    {
        $session = new Session(1000);
        self::greet($session, self::BROKER);
        $calls = [];
        for ($i = 0; $i < 4; $i++) {
            $calls[] = $call = new Call('Large', Flag::RAW, str_repeat((string) $i, 300_000), 0, self::SECOND, 1.0);
            $session->enqueue($call, 0);
        }
        $length = $session->sendBuffer->length / 4;
        $session->sendBuffer->advance(5);
        $session->cancel($calls[1]);
        $session->cancel($calls[2]);
        self::assertSame(2 * $length - 5, $session->sendBuffer->length);
        // One that is begun leaves whole, and is taken back by telling the peer.
        $session->cancel($calls[0]);
        self::assertGreaterThan(2 * $length - 5, $session->sendBuffer->length);
        $session->lost('gone');
        self::assertFalse($calls[3]->sent);
    }

    public function testDeadlinesEndTheCallsTheyBelongTo(): void
    {
        $session = new Session(1000);
        $late = self::newCall('late', 30 * self::SECOND);
        $early = self::newCall('early', 10 * self::SECOND);
        $early->coroutine = 5;
        $session->call($late, 0);
        $session->call($early, 0);
        self::assertSame(10 * self::SECOND, $session->earliest);
        $session->expire(10 * self::SECOND);
        self::assertSame([CallState::Expired, CallState::Waiting], [$early->state, $late->state]);
        self::assertSame(30 * self::SECOND, $session->earliest);
        self::assertSame([$early], $session->woken);
        $session->receive(self::reply($late, ''));
        $session->expire(30 * self::SECOND);
        self::assertSame([CallState::Replied, PHP_INT_MAX], [$late->state, $session->earliest]);
    }

    public function testABrokerHasAMomentToSayHowACallEndedWhoseTimeIsOver(): void
    {
        $session = new Session(1000);
        self::greet($session, self::BROKER);
        [$told, $silent, $endless] = [self::newCall('told'), self::newCall('silent'), self::newCall('endless', PHP_INT_MAX)];
        array_map(static fn (Call $call): string => $session->call($call, 0), [$told, $silent, $endless]);
        $unwritten = new Call('unwritten', Flag::RAW, str_repeat('x', 1000), 0, self::SECOND, 1.0);
        $session->enqueue($unwritten, 0);

        $session->expire(self::SECOND);
        self::assertSame([CallState::Waiting, CallState::Waiting, CallState::Expired], [$told->state, $silent->state, $unwritten->state]);
        self::assertSame(intdiv(self::SECOND * 6, 5), $session->earliest);
        $session->receive(self::reply($told, 'where it was'));
        $session->expire($session->earliest);
        self::assertSame([CallState::Replied, CallState::Expired, CallState::Waiting], [$told->state, $silent->state, $endless->state]);
        self::assertGreaterThan(0, $session->sendBuffer->length, 'the broker is told');
    }

    public function testABrokerIsToldThatTheTimeIsOverOfACallThatLeftBeforeItWasKnown(): void
    {
        $session = new Session(1000);
        $call = self::newCall('early', self::SECOND);
        $session->call($call, 0);
        $session->greet($hello = self::newCall(Session::HELLO));
        $session->sendBuffer->clear();
        $session->receive(self::reply($hello, (string) json_encode(self::BROKER)));

        $session->expire(intdiv(self::SECOND, 2));
        self::assertSame([0, self::SECOND], [$session->sendBuffer->length, $session->earliest]);
        $session->expire(self::SECOND);
        $told = self::frame($session->sendBuffer->next());
        self::assertSame([Stream::STOP, [$call->sequence, 1]], [$told->stream, $told->options]);
        self::assertSame([CallState::Waiting, intdiv(self::SECOND * 6, 5)], [$call->state, $session->earliest]);
        $session->expire($session->earliest);
        self::assertSame(CallState::Expired, $call->state);
    }

    public function testALostConnectionTellsWhichCallsHadBeenSent(): void
    {
        $session = new Session(1000);
        $written = self::newCall('written');
        $session->call($written, 0);
        $calls = [];
        foreach (['whole', 'begun', 'waits'] as $method) {
            $calls[$method] = self::newCall($method);
            $session->sendBuffer->append($session->call($calls[$method], 0));
        }
        $session->sendBuffer->advance(intdiv(strlen($session->sendBuffer->next()), 3) + 1);
        $session->lost('gone');
        self::assertSame([true, true, true, false], [$written->sent, $calls['whole']->sent, $calls['begun']->sent, $calls['waits']->sent]);
        self::assertSame([CallState::Lost, 'gone'], [$calls['waits']->state, $calls['waits']->reply]);
        self::assertSame([0, 0], [$session->count(), $session->sendBuffer->length]);
    }

    public function testAnAnswerAboveTheLimitFailsItsCallAlone(): void
    {
        $session = new Session(1000);
        [$large, $small] = [self::newCall('large'), self::newCall('small')];
        $session->call($large, 0);
        $session->call($small, 0);
        $session->receive(self::reply($large, str_repeat('x', 2000)) . self::reply($small, 's'));
        self::assertSame([CallState::Oversized, '2005'], [$large->state, $large->reply]);
        self::assertSame([CallState::Replied, 's'], [$small->state, $small->reply]);
    }

    public function testControlFramesOfTheBroker(): void
    {
        $session = new Session(1000);
        $session->receive(Frame::encode(Flag::CONTROL, [7, 8], 'there?', Stream::PING));
        $pong = self::frame($session->sendBuffer->next());
        self::assertSame([[7, 8], 'there?', Stream::PONG], [$pong->options, $pong->payload, $pong->stream]);
        $session->receive(Frame::encode(Flag::CONTROL, [5], '', Stream::STOP) . Frame::encode(Flag::CONTROL, [], '', 0));
        self::assertFalse($session->goingAway);
        $session->receive(Frame::encode(Flag::CONTROL, [0], '', Stream::STOP));
        self::assertTrue($session->goingAway);
    }

    public function testAPeerThatPingsAndDoesNotReadFillsNoMemory(): void
    {
        $session = new Session(1_000_000);
        $ping = Frame::encode(Flag::CONTROL, [1], str_repeat('x', 1000), Stream::PING);
        for ($i = 0; $i < 1000; $i++) {
            $session->receive($ping);
        }
        $session->receive(Frame::encode(Flag::CONTROL, [1], str_repeat('x', 500_000), Stream::PING));
        self::assertLessThan(70_000, $session->sendBuffer->length);
        // Once it has read, it is answered again.
        $session->sendBuffer->clear();
        $session->receive($ping);
        self::assertGreaterThan(1000, $session->sendBuffer->length);
    }

    #[TestWith([Session::HELLO])]
    #[TestWith(['GoTask.Authenticate'])]
    public function testAPeerWhoseAnswerToAGreetingIsLargeIsNoBroker(string $method): void
    {
        $session = new Session(1_000_000);
        $question = self::newCall($method);
        $session->greet($question);
        $this->expectException(ProtocolError::class);
        $this->expectExceptionMessage($method);
        $session->receive(Frame::encode(Flag::JSON, [$question->sequence, strlen($method)], $method . str_repeat('[', 100_000)));
    }

    #[TestWith([1, true])]
    #[TestWith([2, false])]
    public function testACallThatCrossesThePeersSecondGoAwayHasNotRun(int $frames, bool $sent): void
    {
        $session = new Session(1000);
        $call = self::newCall('A');
        $session->sendBuffer->append($session->call($call, 0));
        $session->sendBuffer->advance(strlen($session->sendBuffer->next()));
        $session->receive(str_repeat(Frame::encode(Flag::CONTROL, [0], '', Stream::STOP), $frames));
        $session->lost('gone');
        self::assertSame([CallState::Lost, $sent], [$call->state, $call->sent]);
    }

    public function testAReplyShorterThanItSaysIsAProtocolError(): void
    {
        $session = new Session(1000);
        $call = self::newCall('A');
        $session->call($call, 0);

        try {
            $session->receive(Frame::encode(Flag::JSON, [$call->sequence, 50], 'A'));
            self::fail('It was taken.');
        } catch (ProtocolError) {
        }
        $session->lost('gone');
        self::assertSame(CallState::Lost, $call->state);
    }

    public function testByteByByteIsTheSameAsAtOnce(): void
    {
        $states = [];
        foreach ([1, 7, 10_000] as $step) {
            $session = new Session(1000);
            $calls = [];
            $bytes = '';
            foreach (['A', 'B', 'C', 'D'] as $i => $method) {
                $calls[] = $call = self::newCall($method);
                $session->call($call, 0);
                $bytes = self::reply($call, str_repeat($method, [0, 1, 900, 3000][$i])) . $bytes;
            }
            foreach (str_split($bytes, $step) as $piece) {
                $session->receive($piece);
            }
            $states[] = implode(',', array_map(static fn (Call $call): string => $call->state->name . $call->reply, $calls));
        }
        self::assertSame([$states[0], $states[0]], [$states[1], $states[2]]);
    }

    public function testALargeCallIsTheSameBytesWithoutACopyOfItsBody(): void
    {
        foreach ([self::BROKER, 'plain'] as $said) {
            $session = new Session(1000);
            self::greet($session, $said);
            $call = new Call('Large', Flag::RAW, str_repeat('x', 300_000), 1, 5 * self::SECOND, 5.0);
            $expected = $session->call($call, 0);
            $session->lost('');
            (new ReflectionProperty(Calls::class, 'sequence'))->setValue($session, $call->sequence - 1);
            $session->enqueue($call, 0);
            self::assertSame(strlen($expected), $session->sendBuffer->length);
            $bytes = '';
            while ($session->sendBuffer->length > 0) {
                $bytes .= $next = $session->sendBuffer->next();
                $session->sendBuffer->advance(strlen($next));
            }
            self::assertTrue($bytes === $expected);
        }
    }

    public function testALargeReplyIsItsBodyHoweverItComes(): void
    {
        $body = str_repeat('0123456789', 40_000);
        foreach ([1, 11, 14, 20, 21, 22, 30, 65_000, 399_999] as $first) {
            foreach ([65_000, 70_000, 500_000] as $step) {
                $session = new Session(1_000_000);
                $call = self::newCall('Large');
                $session->call($call, 0);
                $reply = self::reply($call, $body);
                $session->receive(substr($reply, 0, $first));
                foreach (str_split(substr($reply, $first), $step) as $piece) {
                    $session->receive($piece);
                }
                self::assertTrue($call->reply === $body, "{$first}, then {$step}");
            }
        }
    }

    /**
     * Replies whose header has been seen before are taken apart in another way than the first of them.
     */
    public function testRepliesAreTheSameHoweverManyComeAtOnceAndWhereverTheyAreCut(): void
    {
        foreach ([1, 7, 12, 19, 20, 23, 24, 25, 48, 50, 1000] as $step) {
            $session = new Session(1000);
            self::greet($session, self::BROKER);
            $calls = array_map(static fn (int $number): Call => self::newCall("M{$number}"), range(0, 8));
            array_map(static fn (Call $call): string => $session->call($call, 0), $calls);
            $calls[3]->coroutine = 3;
            $session->cancel($calls[5]);
            $bytes = '';
            foreach ($calls as $number => $call) {
                // A ping, an error and another codec among them.
                $bytes .= $number === 4 ? Frame::encode(Flag::CONTROL, [], '', Stream::PING) : '';
                $flags = [6 => Flag::MSGPACK, 7 => Flag::JSON | Flag::ERROR][$number] ?? Flag::JSON;
                $bytes .= Frame::call($call->sequence, $call->method, $flags, "r{$number}");
            }
            foreach (str_split($bytes, $step) as $piece) {
                $session->receive($piece);
            }
            self::assertSame(0, $session->count());
            self::assertSame([$calls[3]], $session->woken);
            unset($calls[5]);
            foreach ($calls as $number => $call) {
                self::assertSame([CallState::Replied, "r{$number}"], [$call->state, $call->reply]);
                self::assertSame([6 => Flag::MSGPACK, 7 => Flag::JSON | Flag::ERROR][$number] ?? Flag::JSON, $call->replyFlags);
            }
        }
    }

    public function testAReplyShorterThanItSaysIsAProtocolErrorAmongOthersToo(): void
    {
        $session = new Session(1000);
        [$fine, $short] = [self::newCall('A'), self::newCall('A')];
        $session->call($fine, 0);
        $session->call($short, 0);
        $session->receive(Frame::encode(Flag::JSON, [$fine->sequence, 1], 'A'));

        try {
            $session->receive(Frame::encode(Flag::JSON, [$short->sequence, 2], 'A'));
            self::fail('It was taken.');
        } catch (ProtocolError) {
            self::assertSame([CallState::Replied, CallState::Waiting], [$fine->state, $short->state]);
        }
    }

    private static function newCall(string $method, int $deadline = self::SECOND, int $flags = 0): Call
    {
        return new Call($method, Flag::JSON, '', $flags, $deadline, 1.0);
    }

    private static function reply(Call $call, string $body): string
    {
        return Frame::call($call->sequence, $call->method, Flag::JSON, $body);
    }

    private static function frame(string $bytes): Frame
    {
        $decoder = new FrameDecoder();
        $decoder->feed($bytes);
        $frame = $decoder->next();
        self::assertInstanceOf(Frame::class, $frame);

        return $frame;
    }

    /**
     * @param array<string, mixed>|string $said
     */
    private static function greet(Session $session, array|string $said, int $flags = Flag::JSON): void
    {
        $hello = self::newCall(Session::HELLO);
        $session->greet($hello);
        $session->sendBuffer->clear();
        $body = is_string($said) ? $said : (string) json_encode($said);
        $session->receive(Frame::encode($flags, [$hello->sequence, strlen(Session::HELLO)], Session::HELLO . $body));
    }
}
