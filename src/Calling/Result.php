<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use LogicException;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\PayloadTooLarge;
use Reasno\GoTask\Goridge\CallFlag;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Hints;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\ErrorReply;

use function rtrim;

/**
 * Turns the outcome of a call into what its caller gets: a value or an exception.
 *
 * @internal
 */
final class Result
{
    public function __construct(private readonly MessagePackCodec $codec, private readonly Hints $hints)
    {
    }

    /**
     * @param Call $call has an outcome
     * @throws GoTaskException
     */
    public function of(Call $call): mixed
    {
        try {
            $value = $this->value($call);
            $call->metadata?->ended(null);

            return $value;
        } catch (GoTaskException $failure) {
            $call->metadata?->ended($failure);

            throw $failure;
        }
    }

    /**
     * @throws GoTaskException
     */
    private function value(Call $call): mixed
    {
        return match ($call->state) {
            CallState::Replied => $call->hasResult() ? $this->decode($call) : throw ErrorReply::toException($call->method, $call->reply),
            CallState::Oversized => throw new PayloadTooLarge(
                "The result of {$call->method} has {$call->reply} bytes, more than is taken ({$this->hints->maxPayload}) or what PHP's"
                . ' memory_limit leaves room for. The method has run; raise the limits or let it return less.',
                $call->method,
            ),
            CallState::Expired => throw new DeadlineExceeded(
                ($call->callFlags & CallFlag::STREAM) === 0
                    ? "{$call->method} was not answered within {$call->timeout} s. Raise the timeout if it may take longer."
                    : "The next element of {$call->method} did not come within {$call->timeout} s. Raise the timeout if it may take longer.",
                $call->method,
            ),
            CallState::Cancelled => throw new Cancelled("{$call->method} was cancelled.", $call->method),
            CallState::Lost => throw new ConnectionLost(
                "The connection to {$call->connection?->address} ended before {$call->method} was answered: " . rtrim($call->reply, '.') . '. '
                . ($call->sent || $call->idempotentResends > 0 ? 'It had been sent, so it may have run.' : 'It had not been sent.'),
                $call->sent || $call->idempotentResends > 0,
            ),
            CallState::Waiting, CallState::Message => throw new LogicException("{$call->method} is still under way."),
        };
    }

    /**
     * @param Call $call has a result
     * @throws DecodeFailed
     */
    public function decode(Call $call): mixed
    {
        $flags = $call->replyFlags;
        // Behind a head of its own the reply is the string itself.
        if (($flags & Flag::RAW) !== 0 || $call->replyHead !== '') {
            return $call->reply;
        }
        if ($call->reply !== '' && ($flags & Flag::MSGPACK) === 0) {
            throw new DecodeFailed("The result of {$call->method} is neither in MessagePack nor RAW (flags {$flags}).");
        }

        return $this->codec->decode($call->reply);
    }
}
