<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Protocol;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Goridge\CallFlag;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;
use Reasno\GoTask\Goridge\MessageKind;
use Reasno\GoTask\Goridge\Stream;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\Exchange;
use Reasno\GoTask\Protocol\Peer;
use Reasno\GoTask\Protocol\Session;

use function count;
use function hrtime;
use function json_decode;
use function range;
use function str_repeat;
use function str_split;

use const PHP_INT_MAX;

/**
 * Messages within a call as a session sees them.
 *
 * @internal
 */
#[CoversClass(Exchange::class)]
#[CoversClass(Session::class)]
final class ExchangeTest extends TestCase
{
    private const SECOND = 1_000_000_000;

    private Session $session;

    protected function setUp(): void
    {
        $this->session = new Session(100_000);
        $hello = self::newCall(Session::HELLO, 0);
        $this->session->greet($hello);
        $this->session->sendBuffer->clear();
        $this->session->receive(Frame::encode(Flag::JSON, [$hello->sequence, 12], Session::HELLO . '{"protocol":1,"peer":"python","version":"0","max_payload":100000}'));
    }

    public function testManyMessagesThatWaitedAreTakenInATimeThatGrowsWithTheirNumberAlone(): void
    {
        $exchange = new Exchange();
        $decoder = new FrameDecoder(100_000);
        $decoder->feed(Frame::encode(Flag::MSGPACK, [7, MessageKind::ITEMS, 1], "\x91\x01", Stream::STREAM));
        $message = $decoder->next();
        self::assertInstanceOf(Frame::class, $message);
        for ($count = 0; $count < 131_072; $count++) {
            $exchange->put($message);
        }
        // To move all others with each one takes half a minute.
        $began = hrtime(true);
        while ($exchange->take() !== null) {
            $count--;
        }
        self::assertSame(0, $count);
        self::assertLessThan(5 * self::SECOND, hrtime(true) - $began);
    }

    public function testMessagesComeInTheirOrderAndBeforeTheReplyHoweverTheirBytesAreCut(): void
    {
        foreach ([1, 7, 13, 1_000, 1_000_000] as $piece) {
            $calls = [$this->send(CallFlag::STREAM), $this->send(0)];
            // Strings that fill the frame, and names of one byte: replies of such are cut while they are gathered.
            $large = "\xdb" . pack('N', 70_000) . str_repeat('x', 70_000);
            $bytes = '';
            foreach ($calls as $call) {
                $bytes .= self::message($call, MessageKind::ITEMS, 3, 'items') . self::message($call, MessageKind::PROGRESS, 0, 'progress')
                    . self::message($call, MessageKind::CALL, 7, $large) . self::message($call, MessageKind::ITEMS, 1, '') . self::reply($call);
            }
            foreach (str_split($bytes, $piece) as $part) {
                $this->session->receive($part);
            }
            foreach ($calls as $call) {
                self::assertSame([CallState::Replied, 'done'], [$call->state, $call->reply]);
                self::assertSame(
                    [[MessageKind::ITEMS, 3, 'items'], [MessageKind::PROGRESS, 0, 'progress'], [MessageKind::CALL, 7, $large], [MessageKind::ITEMS, 1, '']],
                    self::taken($call),
                );
            }
        }
    }

    public function testAMessageWakesWhoWaitsForTheCall(): void
    {
        $call = $this->send(0);
        $call->coroutine = 7;
        $this->session->receive(self::message($call, MessageKind::CALL, 1, 'x'));
        self::assertSame([CallState::Message, [$call]], [$call->state, $this->session->woken]);
        self::assertTrue($call->isUnderWay());
        self::assertSame(1, $this->session->count());
    }

    public function testAMessageOfACallThatHasEndedIsDropped(): void
    {
        $call = $this->send(CallFlag::STREAM);
        $this->session->cancel($call);
        $this->session->sendBuffer->clear();
        $this->session->receive(self::message($call, MessageKind::ITEMS, 1, 'x') . self::reply($call));
        self::assertSame([CallState::Cancelled, []], [$call->state, self::taken($call)]);
        $this->session->tell($call, MessageKind::CREDIT, 1);
        self::assertSame(0, $this->session->sendBuffer->length);
    }

    public function testWhatAPlainPeerSendsIsNoMessage(): void
    {
        $this->session->peer = Peer::Plain;
        $call = $this->send(0);
        $this->session->receive(Frame::encode(Flag::JSON, [$call->sequence, 1], 'Ahi', Stream::STREAM));
        self::assertSame([CallState::Replied, 'hi'], [$call->state, $call->reply]);
    }

    public function testAMessageThatCantBeHeldEndsTheCall(): void
    {
        $call = $this->send(CallFlag::STREAM);
        $this->session->receive(self::message($call, MessageKind::ITEMS, 1, str_repeat('x', 100_001)));
        self::assertSame([CallState::Oversized, '100001', 0], [$call->state, $call->reply, $this->session->count()]);
        self::assertGreaterThan(0, $this->session->sendBuffer->length);
    }

    public function testWhatIsToldIsAFrameWithTheNumberOfTheCall(): void
    {
        $call = $this->send(CallFlag::INPUT);
        $exchange = $call->exchange = new Exchange();
        $this->session->tell($call, MessageKind::ITEMS, 2, 'body');
        $frame = self::frame($this->session->sendBuffer->next());
        self::assertSame([Flag::MSGPACK, [$call->sequence, MessageKind::ITEMS, 2], 'body', Stream::STREAM], [$frame->flags, $frame->options, $frame->payload, $frame->stream]);
        self::assertSame([true], [$exchange->any]);
    }

    public function testOfMuchProgressTheNewestIsKept(): void
    {
        $call = $this->send(CallFlag::PROGRESS);
        foreach (range(1, 1_000) as $number) {
            $this->session->receive(self::message($call, MessageKind::PROGRESS, 0, (string) $number));
        }
        $taken = self::taken($call);
        self::assertLessThan(100, count($taken));
        self::assertSame([['1'], ['1000']], [[$taken[0][2]], [$taken[count($taken) - 1][2]]]);
        self::assertSame('1000', $call->exchange?->progress);
    }

    public function testACallBackOfACallThatNobodyWaitsForIsRefusedAtOnce(): void
    {
        $call = $this->send(0);
        $call->exchange = new Exchange();
        $call->exchange->isDropped = true;
        $this->session->receive(self::message($call, MessageKind::CALL, 7, 'x') . self::message($call, MessageKind::PROGRESS, 0, 'x'));
        $answer = self::frame($this->session->sendBuffer->next());
        self::assertSame([Flag::JSON | Flag::ERROR, [$call->sequence, MessageKind::ANSWER, 7]], [$answer->flags, $answer->options]);
        self::assertSame('cancelled', ((array) json_decode($answer->payload, true))['code']);
        self::assertSame([], self::taken($call));
    }

    public function testAStreamHasNoTimeButThatOfTheWaitForItsNextElement(): void
    {
        $call = self::newCall('A', CallFlag::STREAM);
        $frame = self::frame($this->session->call($call, 0));
        self::assertSame([0, CallFlag::STREAM], [$frame->options[2], $frame->options[3]]);
        $call->deadline = PHP_INT_MAX;
        $this->session->expire(self::SECOND * 1_000);
        self::assertSame(CallState::Waiting, $call->state);

        $this->session->expect($call, 2_000 * self::SECOND);
        self::assertSame(2_000 * self::SECOND, $this->session->earliest);
        $this->session->expire(2_000 * self::SECOND);
        $stop = self::frame($this->session->sendBuffer->next());
        self::assertSame([Flag::CONTROL, [$call->sequence, 1], Stream::STOP], [$stop->flags, $stop->options, $stop->stream]);
        // The broker says how it ended; one that does not is not waited for.
        self::assertSame(CallState::Waiting, $call->state);
        $this->session->expire(2_001 * self::SECOND);
        self::assertSame(CallState::Expired, $call->state);
    }

    private static function newCall(string $method, int $flags): Call
    {
        return new Call($method, Flag::MSGPACK, '', $flags, self::SECOND, 1.0);
    }

    private function send(int $flags): Call
    {
        $call = self::newCall('A', $flags);
        $this->session->call($call, 0);

        return $call;
    }

    private static function message(Call $call, int $kind, int $number, string $body): string
    {
        return Frame::encode(Flag::MSGPACK, [$call->sequence, $kind, $number], $body, Stream::STREAM);
    }

    private static function reply(Call $call): string
    {
        return Frame::encode(Flag::MSGPACK, [$call->sequence, 1, 50], 'Adone');
    }

    /**
     * @return list<array{int, int, string}>
     */
    private static function taken(Call $call): array
    {
        $taken = [];
        while (($message = $call->exchange?->take()) !== null) {
            $taken[] = [$message->options[1], $message->options[2], $message->payload];
        }

        return $taken;
    }

    private static function frame(string $bytes): Frame
    {
        $decoder = new FrameDecoder();
        $decoder->feed($bytes);
        $frame = $decoder->next();
        self::assertInstanceOf(Frame::class, $frame);

        return $frame;
    }
}
