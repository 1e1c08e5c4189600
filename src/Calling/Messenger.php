<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\PayloadTooLarge;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Goridge\MessageKind;
use Reasno\GoTask\Progress;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\ErrorReply;
use Reasno\GoTask\Protocol\Exchange;
use Throwable;

use function hrtime;
use function is_array;
use function is_string;
use function pack;
use function strlen;

/**
 * Serves the messages within calls: tells of progress, calls back, sends the input. Whoever waits for a call has it do so, in the
 * coroutine or fiber that waits.
 *
 * @internal
 */
final class Messenger
{
    /** Bytes of elements in one message, unless a single one is larger. */
    private const MAX_ITEMS = 32_768;

    /** Bytes before the elements of an array in MessagePack: its type and how many there are. */
    private const LIST_HEAD = 5;

    /** ns. An element for which the input took longer is sent at once, without others. */
    private const SLOW = 1_000_000;

    public function __construct(private readonly MessagePackCodec $codec, private readonly Services $services)
    {
    }

    /**
     * Serves the messages of a call, up to the next items of its stream.
     *
     * @return null|Frame the items; null: there is nothing to do but wait, or the call has its outcome
     * @throws Throwable what a callback threw: the call is cancelled then
     */
    public function next(Call $call): ?Frame
    {
        $exchange = $call->exchange;

        try {
            while ($exchange !== null) {
                // Before take(): another one may come meanwhile.
                if ($call->state === CallState::Message) {
                    $call->state = CallState::Waiting;
                }
                $message = $exchange->take();
                if ($message !== null) {
                    if ($message->options[1] === MessageKind::ITEMS) {
                        return $message;
                    }
                    $this->serve($call, $exchange, $message);
                } elseif ($exchange->credit > 0 && $exchange->input !== null && $call->isUnderWay()) {
                    $this->sendInput($call, $exchange);
                } else {
                    break;
                }
            }
        } catch (Throwable $thrown) {
            $call->cancelled = true;
            $call->connection?->cancel($call);

            throw $thrown;
        }

        return null;
    }

    /**
     * @return null|Progress the newest that has come
     */
    public function progress(Call $call): ?Progress
    {
        $body = $call->exchange->progress ?? '';

        return $body === '' ? null : $this->decode($body);
    }

    /**
     * Nobody will wait for a call any more: what it calls back is refused.
     */
    public function drop(Call $call): void
    {
        $exchange = $call->exchange ??= new Exchange();
        $exchange->isDropped = true;
        while (($message = $exchange->take()) !== null) {
            if ($message->options[1] === MessageKind::CALL) {
                $call->connection?->tell($call, MessageKind::ANSWER, $message->options[2], Exchange::dropped(), Flag::JSON | Flag::ERROR);
            }
        }
    }

    private function serve(Call $call, Exchange $exchange, Frame $message): void
    {
        switch ($message->options[1]) {
            case MessageKind::CREDIT:
                $exchange->credit += $message->options[2];
                break;
            case MessageKind::PROGRESS:
                if ($exchange->onProgress !== null) {
                    ($exchange->onProgress)($this->decode($message->payload));
                }
                break;
            case MessageKind::CALL:
                // Nobody waits for the answer when the call has ended.
                if ($call->isUnderWay()) {
                    $this->callBack($call, $message);
                }
        }
    }

    private function decode(string $progress): Progress
    {
        $values = $this->codec->decode($progress);

        return Progress::of(is_array($values) ? $values : []);
    }

    private function callBack(Call $call, Frame $message): void
    {
        $number = $message->options[2];

        try {
            $said = $this->codec->decode($message->payload);
            [$name, $positional, $named] = (is_array($said) ? $said : []) + ['', [], []];
            $name = is_string($name) ? $name : '';
            $method = $this->services->find($name);
            if ($method === null) {
                $this->refuse($call, $number, 'method_not_found', $this->services->missing($name));

                return;
            }
            $body = $this->codec->encode($method([...(is_array($positional) ? $positional : []), ...(is_array($named) ? $named : [])]));
        } catch (Throwable $thrown) {
            if ($thrown instanceof Cancelled || $call->connection?->isCancellation($thrown) === true) {
                // The coroutine was told to stop.
                throw $thrown;
            }
            $call->connection?->tell($call, MessageKind::ANSWER, $number, ErrorReply::of($thrown), Flag::JSON | Flag::ERROR);

            return;
        }
        $limit = $call->connection?->session->maxPayload;
        if (strlen($body) > $limit) {
            $this->refuse($call, $number, 'payload_too_large', "The result of PHP's {$name} has " . strlen($body) . " bytes and the limit is {$limit}: return less, or raise the limit.");
        } else {
            $call->connection?->tell($call, MessageKind::ANSWER, $number, $body);
        }
    }

    private function refuse(Call $call, int $number, string $code, string $message): void
    {
        $call->connection?->tell($call, MessageKind::ANSWER, $number, ErrorReply::body($code, $message), Flag::JSON | Flag::ERROR);
    }

    /**
     * Sends elements of the input: several together, as long as they come quickly.
     */
    private function sendInput(Call $call, Exchange $exchange): void
    {
        $limit = $call->connection?->session->maxPayload;
        $elements = '';
        $count = 0;

        try {
            do {
                $asked = hrtime(true);
                if ($exchange->isSent) {
                    $exchange->isSent = false;
                    $exchange->input?->next();
                }
                if ($exchange->input?->valid() !== true) {
                    $exchange->input = null;
                    break;
                }
                $element = $this->codec->encode($exchange->input->current());
                if ($count > 0 && strlen($elements) + strlen($element) > self::MAX_ITEMS) {
                    break;
                }
                if (strlen($element) + self::LIST_HEAD > $limit) {
                    throw new PayloadTooLarge("An element of the input of {$call->method} has " . strlen($element) . " bytes and the limit is {$limit}: send smaller ones, or raise the limit.", $call->method);
                }
                $elements .= $element;
                $count++;
                $exchange->isSent = true;
            } while (strlen($elements) < self::MAX_ITEMS && hrtime(true) - $asked < self::SLOW);
        } catch (Throwable $thrown) {
            $exchange->input = null;
            $exchange->failure = $thrown;
        }
        if ($count > 0) {
            $exchange->credit -= strlen($elements) + self::LIST_HEAD;
            $call->connection?->tell($call, MessageKind::ITEMS, $count, pack('CN', 0xDD, $count) . $elements);
        }
        if ($exchange->failure !== null) {
            $call->connection?->tell($call, MessageKind::END, 0, ErrorReply::of($exchange->failure), Flag::JSON | Flag::ERROR);
        } elseif ($exchange->input === null) {
            $call->connection?->tell($call, MessageKind::END, 0);
        } else {
            // The call may have ended meanwhile, or calls back.
            $call->connection?->receiveNow();
        }
    }
}
