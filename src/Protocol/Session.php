<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use Closure;
use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Goridge\CallFlag;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\FrameDecoder;
use Reasno\GoTask\Goridge\MessageKind;
use Reasno\GoTask\Goridge\OversizedFrame;
use Reasno\GoTask\Goridge\Stream;

use function array_map;
use function array_values;
use function count;
use function implode;
use function intdiv;
use function max;
use function min;
use function strlen;
use function substr;
use function unpack;

use const PHP_INT_MAX;

/**
 * The protocol of one connection as its caller sees it: which calls are outstanding, which bytes are to be written, what
 * the bytes that came mean. No socket, no clock, no waiting: whoever owns it does those.
 *
 * In one file, since a call's states are changed here and nowhere else.
 *
 * @internal
 */
final class Session extends FastCalls
{
    public const PROTOCOL = 1;

    public const HELLO = 'GoTask.Hello';

    /** So many calls that are given up before the peer is known are remembered at most: 16 bytes each. */
    private const MAX_GIVEN_UP = 65_536;

    /**
     * What a broker gets beyond a call's time, in ns, to answer how the call ended and where it was: a method that heeds no
     * interruption is killed, by default, after 0.1 s.
     */
    private const LAST_WORD = 200_000_000;

    /** Bytes of PONGs that wait to be written, at most: a peer that sends PINGs and does not read fills no memory. */
    private const MAX_PONGS = 65_536;

    /** So many heartbeats may be missed. */
    private const MISSED = 3;

    public Peer $peer = Peer::Unknown;

    /** Whether the peer takes no more calls. */
    public bool $goingAway = false;

    /** Whether the peer has answered all calls that it took: what is outstanding has not run. */
    private bool $ended = false;

    /** Bytes of the largest payload that may be sent: no more than is taken here, or than the peer said in its Hello. */
    public int $maxPayload;

    /** ns between two PINGs of a broker on another machine while calls are outstanding; 0: it sends none. */
    private int $heartbeat = 0;

    /** When the next one is missed, hrtime() in ns. */
    private int $heartbeatDue = 0;

    /** How many were due since something came. */
    private int $missed = 0;

    /** How many bytes the frame under way still wants, as FrameDecoder::pending() says. */
    public int $wanted = 0;

    public readonly SendBuffer $sendBuffer;

    /** The broker's answer to Hello, JSON; '' before that, and of another peer. */
    public string $greeting = '';

    private readonly FrameDecoder $decoder;

    /** Decodes the messages of the fast path. */
    private ?FrameDecoder $fastDecoder = null;

    /** Bytes of the PONGs that were appended since none of them waited, and where the last one ends. */
    private int $pongs = 0;

    private int $pongsEnd = 0;

    private ?Call $hello = null;

    /** Asks for a fast path: no caller waits for the answer. */
    public ?Call $question = null;

    /** @var list<int> sequences of calls that were given up before it was known whether the peer can be told */
    private array $givenUp = [];

    /**
     * @param int $limit bytes of the largest payload that is taken
     * @param null|Closure(int): bool $canHold see FrameDecoder
     */
    public function __construct(int $limit, ?Closure $canHold = null)
    {
        $this->maxPayload = $limit;
        $this->sendBuffer = new SendBuffer();
        $this->decoder = new FrameDecoder($limit, $canHold, cuts: true);
    }

    /**
     * Asks the peer who it is: the first frame of a connection, to be written together with the first call.
     */
    public function greet(Call $hello): void
    {
        $this->hello = $hello;
        $this->sendBuffer->append($this->call($hello, 0));
    }

    /**
     * Takes a call among those outstanding.
     *
     * @param int $now hrtime() in ns
     * @return string its frame, which is to be written next, or appended to the send buffer unless that is empty
     */
    public function call(Call $call, int $now): string
    {
        $this->take($call);
        if ($this->peer === Peer::Broker) {
            // Nobody knows how long a stream takes.
            $remaining = ($call->callFlags & CallFlag::STREAM) === 0 ? intdiv($call->deadline - $now, 1_000_000) : null;
            $more = $call->metadata;
            $frame = $more === null || ($call->callFlags & CallFlag::METADATA) === 0
                ? Frame::call($call->sequence, $call->method, $call->codec, $call->body, $remaining, $call->callFlags)
                : Frame::callWith($more->headers, $more->key, $call->sequence, $call->method, $call->codec, $call->body, $remaining, $call->callFlags);
        } else {
            $call->isUntimed = true;
            $frame = Frame::call($call->sequence, $call->method, $call->codec, $call->body);
        }
        $this->appended += strlen($frame);

        return $frame;
    }

    /**
     * Like call(), for a large body, which is not copied: puts the frame into the send buffer.
     *
     * @param int $now hrtime() in ns
     */
    public function enqueue(Call $call, int $now): void
    {
        $this->take($call);
        $length = strlen($call->body) + strlen($call->tail);
        if ($this->peer === Peer::Broker) {
            $remaining = ($call->callFlags & CallFlag::STREAM) === 0 ? intdiv($call->deadline - $now, 1_000_000) : null;
            $head = Frame::callHead($call->sequence, $call->method, $call->codec, $length, $remaining, $call->callFlags, $call->metadata->headers ?? '', $call->metadata->key ?? 0);
        } else {
            $call->isUntimed = true;
            $head = Frame::callHead($call->sequence, $call->method, $call->codec, $length);
        }
        $call->large = strlen($head) + $length;
        $this->appended += $call->large;
        if ($call->tail === '') {
            $this->sendBuffer->appendLarge($head, $call->body);
        } else {
            $this->sendBuffer->appendLarge($head . $call->body, $call->tail);
        }
    }

    /**
     * Gives a call up. Its answer, if one comes, is dropped; the peer is told where it understands that, or as soon as it is known
     * that it does: what it was sent before carries no deadline.
     */
    public function cancel(Call $call, CallState $state = CallState::Cancelled): void
    {
        $isHeld = $call->micros !== 0 && $this->letGo($call);
        if (! $isHeld && ($this->calls[$call->sequence] ?? null) !== $call) {
            return;
        }
        $call->state = $state;
        $this->toWake($call);
        if ($isHeld) {
            return;
        }
        unset($this->calls[$call->sequence]);
        if ($call->micros !== 0) {
            $this->leaveFast($call);
        }
        if ($call->large > 0 && $this->withdraw($call)) {
            return;
        }
        if ($this->peer === Peer::Broker) {
            $this->append($call->fastSince === 0 ? self::stop($call->sequence) : self::stop($call->sequence, self::CANCELLED));
        } elseif ($this->peer === Peer::Unknown && count($this->givenUp) < self::MAX_GIVEN_UP) {
            $this->givenUp[] = $call->sequence;
        }
    }

    /**
     * Takes over bytes that came; the outcome of the calls they answer is then known.
     *
     * @throws ProtocolError when they are no frames, or answer nothing; the connection is of no more use
     */
    public function receive(string $bytes): void
    {
        $this->missed = 0;
        $taken = $this->wanted === 0 ? $this->receiveReplies($this->decoder, $bytes) : 0;
        if ($taken !== strlen($bytes)) {
            $this->receiveFrames($this->decoder, $bytes, $taken);
            $this->wanted = $this->decoder->pending();
        }
    }

    /**
     * Like receive(), for a message of the fast path.
     *
     * @throws ProtocolError when it is not made of whole frames; the fast path is of no more use
     */
    public function receiveFast(string $message): void
    {
        $decoder = $this->fastDecoder ??= new FrameDecoder(self::FAST_MESSAGE);
        $taken = $this->receiveReplies($decoder, $message);
        if ($taken !== strlen($message)) {
            $this->receiveFrames($decoder, $message, $taken);
            if ($decoder->pending() !== 0) {
                throw new ProtocolError('A message of the fast path ends within a frame.');
            }
        }
    }

    private function receiveFrames(FrameDecoder $decoder, string $bytes, int $taken): void
    {
        $decoder->feed($taken === 0 ? $bytes : substr($bytes, $taken));
        while (($frame = $decoder->next()) !== null) {
            if (($frame->flags & Flag::CONTROL) !== 0) {
                $this->control($frame);
                continue;
            }
            $sequence = $frame->options[0] ?? 0;
            $call = $this->calls[$sequence] ?? null;
            if ($call === null) {
                // The answer to a cancelled call, which was under way when the peer was told.
                continue;
            }
            if ($frame->stream !== 0 && $this->peer === Peer::Broker) {
                $this->receiveMessage($call, $frame);
                continue;
            }
            if ($frame instanceof OversizedFrame) {
                $this->settle($call, CallState::Oversized, $frame->flags, (string) $frame->length);
            } else {
                $name = $frame->options[1] ?? 0;
                if ($name > strlen($frame->payload) + $frame->cut) {
                    throw new ProtocolError("The peer's reply to {$call->method} is shorter than the method's name in it.");
                }
                if (strlen($frame->payload) > Handshake::MAX_ANSWER && Handshake::isOurs($call->method)) {
                    throw new ProtocolError("The peer's answer to {$call->method} is too large: it is no broker.");
                }
                $reply = $frame->cut === $name ? $frame->payload : substr($frame->payload, $name - $frame->cut);
                $this->settle($call, CallState::Replied, $frame->flags, $reply);
                $call->replyHead = $frame->stringHead;
                if (isset($frame->options[2]) && ($frame->flags & Flag::ERROR) === 0) {
                    $this->learn($call, $frame->options[2]);
                }
            }
            if ($call === $this->hello) {
                $this->greeted($call);
            }
        }
    }

    /**
     * Sends a message within a call, unless that has ended.
     *
     * @param int $kind see MessageKind
     * @param int $flags see Flag
     */
    public function tell(Call $call, int $kind, int $number, string $body = '', int $flags = Flag::MSGPACK): void
    {
        if ($call->exchange !== null && ($this->calls[$call->sequence] ?? null) === $call) {
            $call->exchange->any = true;
            $this->append(Frame::encode($flags, [$call->sequence, $kind, $number], $body, Stream::STREAM));
        }
    }

    /**
     * The caller of a stream waits for its next element: the call's time is that of this wait.
     *
     * @param int $deadline hrtime() in ns
     */
    public function expect(Call $call, int $deadline): void
    {
        $call->deadline = $deadline;
        // The broker is told when it is over.
        $call->isUntimed = true;
        if ($deadline < $this->earliest) {
            $this->earliest = $deadline;
        }
    }

    /**
     * Ends the calls whose time is over. A broker ends them by itself, or is told to where the call had left before it was known and so
     * without its time; either way it is given a moment to say so.
     *
     * @param int $now hrtime() in ns
     */
    public function expire(int $now): void
    {
        $earliest = PHP_INT_MAX;
        $written = $this->appended - $this->sendBuffer->length;
        foreach ($this->calls as $call) {
            $until = $call->deadline;
            // The peer can't answer a call that it has not got.
            if ($this->peer === Peer::Broker && $call->start + max(1, $call->large) <= $written) {
                if ($call->isUntimed && $until <= $now) {
                    $call->isUntimed = false;
                    $this->append(self::stop($call->sequence, self::LATE));
                }
                if (! $call->isUntimed) {
                    $until = min($until, PHP_INT_MAX - self::LAST_WORD) + self::LAST_WORD;
                }
            }
            if ($until <= $now) {
                $this->cancel($call, CallState::Expired);
            } elseif ($until < $earliest) {
                $earliest = $until;
            }
        }
        $this->earliest = $this->heartbeat === 0 ? $earliest : min($earliest, $this->listen($now));
    }

    /**
     * From now on the peer is to say every so often that it is there, while calls are outstanding.
     *
     * @param int $every ns; 0: it does not
     * @param int $now hrtime() in ns
     */
    public function expectHeartbeat(int $every, int $now): void
    {
        $this->heartbeat = $every;
        if ($every > 0) {
            $this->earliest = min($this->earliest, $this->heartbeatDue = $now + $every);
        }
    }

    /**
     * Whether nothing came where three heartbeats were due: its machine is gone, or the way there.
     */
    public function isSilent(): bool
    {
        return $this->missed > self::MISSED;
    }

    /**
     * Whether two heartbeats in a row have been missed: it may become silent.
     */
    public function isLate(): bool
    {
        return $this->missed > 1;
    }

    /**
     * @param int $now hrtime() in ns; what had come by then has been received
     * @return int when the next heartbeat is missed
     */
    private function listen(int $now): int
    {
        $late = $now - $this->heartbeatDue;
        if ($late >= 0) {
            // Where nobody has listened meanwhile, nothing has been missed.
            $this->missed = $late < $this->heartbeat ? $this->missed + 1 : 0;
            $this->heartbeatDue = $now + $this->heartbeat;
        }

        return $this->heartbeatDue;
    }

    /**
     * The connection has ended: so have all calls that were outstanding on it.
     */
    public function lost(string $why): void
    {
        $written = $this->appended - $this->sendBuffer->length;
        foreach ($this->calls as $call) {
            $call->sent = ! $this->ended && $written > $call->start;
        }
        foreach ([...array_values($this->calls), ...$this->held] as $call) {
            $call->state = CallState::Lost;
            $call->reply = $why;
            $this->toWake($call);
        }
        $this->clearFast();
        $this->calls = $this->givenUp = [];
        $this->sendBuffer->clear();
    }

    /**
     * Takes back the calls that left on the fast path before a moment and are not answered, once each: those that have not begun are
     * given back, and go to the broker.
     *
     * @param int $before hrtime() in ns
     */
    public function takeBack(int $before): void
    {
        foreach ($this->calls as $sequence => $call) {
            if ($call->fastSince > 0 && $call->fastSince <= $before) {
                $call->fastSince = -1;
                $this->takenBack++;
                $this->append(self::stop($sequence, self::TAKEN_BACK));
            }
        }
    }

    /**
     * How many calls are outstanding that somebody waits for.
     */
    public function waiting(): int
    {
        return count($this->calls) + count($this->held) - (int) ($this->hello?->state === CallState::Waiting) - (int) ($this->question?->state === CallState::Waiting);
    }

    /**
     * Takes the replies at the beginning of bytes, as long as each is whole and its header is known. Most reads bring only such, and
     * this takes a third of the time of receiveFrames().
     *
     * @return int bytes
     */
    private function receiveReplies(FrameDecoder $decoder, string $bytes): int
    {
        $replies = $decoder->replies;
        $end = strlen($bytes);
        $offset = 0;
        while (($header = $replies[substr($bytes, $offset, Frame::HEADER)] ?? null) !== null) {
            [$flags, $length, $format, $size] = $header;
            $next = $offset + $size + $length;
            if ($next > $end) {
                break;
            }
            /** @var array{1: int, time?: int} $options */
            $options = unpack($format, $bytes, $offset + Frame::HEADER);
            $call = $this->calls[$options[1] & Frame::MAX_UINT32] ?? null;
            $name = $options[1] >> 32;
            if ($call !== null) {
                // receiveFrames() deals with these.
                if ($name > $length || $name < 0 || $call === $this->hello) {
                    break;
                }
                // Most are as quick as can be, again.
                if (isset($options['time']) && ($options['time'] > $call->micros || $call->micros !== self::LEAST) && ($flags & Flag::ERROR) === 0) {
                    $this->learn($call, $options['time']);
                }
                $this->settle($call, CallState::Replied, $flags, substr($bytes, $next - $length + $name, $length - $name));
            }
            $offset = $next;
        }

        return $offset;
    }

    /**
     * Removes a large call from the send buffer, if none of it has been written.
     *
     * @return bool whether it has not
     */
    private function withdraw(Call $call): bool
    {
        $place = $call->start - ($this->appended - $this->sendBuffer->length);
        if ($place <= 0 || ! $this->sendBuffer->remove($place, $call->large)) {
            return false;
        }
        $this->appended -= $call->large;
        foreach ($this->calls as $other) {
            if ($other->start > $call->start) {
                $other->start -= $call->large;
            }
        }

        return true;
    }

    private function append(string $frame): void
    {
        $this->appended += strlen($frame);
        $this->sendBuffer->append($frame);
    }

    private function control(Frame|OversizedFrame $frame): void
    {
        if ($frame instanceof OversizedFrame) {
            return;
        }
        if (($frame->stream & Stream::PING) !== 0) {
            $this->pong($frame);
        } elseif (($frame->stream & Stream::STOP) !== 0 && ($frame->options[0] ?? -1) === 0) {
            $this->ended = $this->goingAway;
            $this->goingAway = true;
        } elseif (($frame->stream & Stream::STOP) !== 0 && ($frame->options[1] ?? 0) === self::GIVEN_BACK) {
            $this->giveBack($frame->options[0]);
        }
    }

    private function receiveMessage(Call $call, Frame|OversizedFrame $frame): void
    {
        if ($frame instanceof OversizedFrame) {
            $this->cancel($call, CallState::Oversized);
            $call->reply = (string) $frame->length;

            return;
        }
        if (count($frame->options) === 3) {
            $call->exchange ??= new Exchange();
            $call->exchange->put($frame);
            if ($call->exchange->isDropped && $frame->options[1] === MessageKind::CALL) {
                $this->tell($call, MessageKind::ANSWER, $frame->options[2], Exchange::dropped(), Flag::JSON | Flag::ERROR);
            }
            $call->state = CallState::Message;
        }
        $this->toWake($call);
    }

    /**
     * Answers a PING, unless too many answers to earlier ones still wait to be written.
     */
    private function pong(Frame $ping): void
    {
        if ($this->pongsEnd <= $this->appended - $this->sendBuffer->length) {
            $this->pongs = 0;
        }
        $pong = strlen($ping->payload) > self::MAX_PONGS ? '' : Frame::encode(Flag::CONTROL, $ping->options, $ping->payload, Stream::PONG);
        $this->pongs += strlen($pong);
        if ($pong !== '' && $this->pongs <= self::MAX_PONGS) {
            $this->append($pong);
            $this->pongsEnd = $this->appended;
        }
    }

    private function greeted(Call $hello): void
    {
        $this->hello = null;
        $this->peer = Peer::Plain;
        $givenUp = $this->givenUp;
        $this->givenUp = [];
        if ($hello->state !== CallState::Replied || ($hello->replyFlags & Flag::ERROR) !== 0) {
            return;
        }
        $limit = Handshake::limit($hello->reply);
        if ($limit === null) {
            return;
        }
        $this->peer = Peer::Broker;
        $this->greeting = $hello->reply;
        $this->maxPayload = min($limit, $this->maxPayload);
        if ($givenUp !== []) {
            $this->append(implode('', array_map(static fn (int $sequence): string => self::stop($sequence), $givenUp)));
        }
    }

    /**
     * @param int ...$why one of CANCELLED, LATE (what becomes of it is waited for) and TAKEN_BACK; none: it is given up
     */
    private static function stop(int $sequence, int ...$why): string
    {
        return Frame::encode(Flag::CONTROL, [$sequence, ...array_values($why)], '', Stream::STOP);
    }
}
