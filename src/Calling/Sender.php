<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Reasno\GoTask\Args;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\Values;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\PayloadTooLarge;
use Reasno\GoTask\Goridge\CallFlag;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\ErrorReply;
use Reasno\GoTask\Protocol\Peer;
use Throwable;

use function hrtime;
use function strlen;

/**
 * Brings calls to a connection, and their outcome back to the caller.
 *
 * @internal
 */
final class Sender
{
    public readonly Result $result;

    public readonly Messenger $messenger;

    /** The connection of the last call, if it has a fast path and there is one address: the next call need not look for one. */
    public ?Connection $fast = null;

    private readonly Retry $retry;

    public function __construct(
        public readonly Runtimes $runtimes,
        private readonly Settings $settings,
        private readonly MessagePackCodec $codec,
        Services $services = new Services([]),
    ) {
        $this->messenger = new Messenger($codec, $services);
        $this->result = new Result($codec, $settings->hints);
        $this->retry = new Retry($runtimes, $this->result);
    }

    /**
     * Sends a call; see Connection::submit().
     *
     * @throws GoTaskException when it can't be sent
     */
    public function submit(Call $call): void
    {
        $now = hrtime(true);
        $connection = $this->connect($call, $now);
        $this->fast = $connection->mayBeFast && $this->runtimes->isOne() ? $connection : null;

        try {
            $connection->submit($call, $now);
        } catch (Throwable $thrown) {
            $connection->cancel($call);

            throw $thrown;
        }
        if ($call->state === CallState::Lost && ! $call->sent) {
            // The connection had died unnoticed.
            $this->resend($call);
        }
    }

    /**
     * The connection that a call is to take.
     *
     * @param int $now hrtime() in ns
     * @throws GoTaskException
     */
    public function connect(Call $call, int $now): Connection
    {
        try {
            $connection = $this->runtimes->acquire($call, $now);
            if ($call->callFlags !== 0 && $connection->session->peer !== Peer::Broker) {
                $this->requireBroker($connection, $call);
            }
            $length = strlen($call->method) + strlen($call->body) + strlen($call->tail);
            if ($length > $connection->session->maxPayload) {
                throw new PayloadTooLarge(
                    "The call of {$call->method} has {$length} bytes and the limit is {$connection->session->maxPayload}: send less, or raise the limit"
                    . " ({$this->settings->hints->maxPayload}). It was not sent.",
                    $call->method,
                );
            }

            return $connection;
        } catch (Throwable $failure) {
            $call->metadata?->ended($failure);

            throw $failure;
        }
    }

    /**
     * Waits for a call that was submitted.
     *
     * @return mixed its result
     * @throws GoTaskException
     */
    public function finish(Call $call): mixed
    {
        try {
            $call->connection?->await($call);
            // As hasResult() does, without the cost of calling it.
            if ($call->state === CallState::Replied && ($call->replyFlags & Flag::ERROR) === 0 && $call->exchange === null && $call->metadata === null) {
                return $this->result->decode($call);
            }
            while ($this->goesOn($call)) {
                $call->connection?->await($call);
            }
        } catch (Throwable $thrown) {
            // A signal's handler may have thrown it, between any two steps.
            if ($call->isUnderWay()) {
                $this->cancel($call);
            }

            throw $thrown;
        }

        return $this->outcome($call);
    }

    /**
     * Serves the messages of a call that was waited for.
     *
     * @return bool whether it is to be waited for again: it has no outcome yet, or was sent once more
     * @throws GoTaskException when it has not run and can't be sent
     * @throws Throwable what a callback threw
     */
    public function goesOn(Call $call): bool
    {
        if ($call->exchange !== null) {
            while ($this->messenger->next($call) !== null); // nobody has asked for items
        }

        return $call->isUnderWay() || ! $call->hasResult() && $this->resend($call);
    }

    /**
     * @param Call $call has an outcome
     * @return mixed its result
     * @throws GoTaskException
     * @throws Throwable what its input threw, where it failed of that
     */
    public function outcome(Call $call): mixed
    {
        $failure = $call->exchange?->failure;

        if ($failure === null || $call->hasResult()) {
            return $this->result->of($call);
        }
        $call->metadata?->ended($failure);

        throw $failure;
    }

    /**
     * Sends a call that has an outcome once more, where that does no harm.
     *
     * @return bool whether it is under way again
     * @throws GoTaskException when it has not run and can't be sent
     */
    public function resend(Call $call): bool
    {
        return $this->retry->resend($call, $this->submit(...));
    }

    public function cancel(Call $call): void
    {
        $call->cancelled = true;
        $call->connection?->cancel($call);
    }

    /**
     * Flags must not be sent before it is known that the peer understands them.
     *
     * @throws CallFailed
     */
    private function requireBroker(Connection $connection, Call $call): void
    {
        if ($connection->session->peer === Peer::Unknown) {
            // The peer answers Hello before this, whatever it answers.
            $ping = new Call('GoTask.Ping', Flag::JSON, '', 0, $call->deadline, $call->timeout);
            $call->connection = $connection;
            $connection->submit($ping, hrtime(true));
            $connection->await($ping);
            $isError = $ping->state === CallState::Replied && ! $ping->hasResult();
            if ($isError && ($error = ErrorReply::toException($call->method, $ping->reply)) instanceof NotAuthorized) {
                throw $error;
            }
            if ($ping->state === CallState::Expired) {
                $call->state = CallState::Expired;
                $this->result->of($call);
            }
        }
        if ($connection->session->peer === Peer::Broker || ! $connection->isOpen()) {
            return;
        }
        if (($call->callFlags & (CallFlag::STREAM | CallFlag::INPUT)) !== 0) {
            throw new InvalidRequest("The peer at {$connection->address} is a plain Goridge server, which knows no streams: call() {$call->method}, without an input.", $call->method);
        }
        if (($call->callFlags & CallFlag::DURABLE) !== 0) {
            throw new InvalidRequest("The peer at {$connection->address} is a plain Goridge server, which keeps no durable calls: notify() it without durable.", $call->method);
        }
        if (($call->callFlags & CallFlag::ARGS) === 0) {
            return;
        }
        if ($call->body !== Values::encodeArguments(new Args(), $this->codec)) {
            throw new InvalidRequest(
                "The peer at {$connection->address} is a plain Goridge server, which knows no named arguments: give call() one payload.",
                $call->method,
            );
        }
        // Any peer understands a call without arguments.
        $call->body = '';
        $call->callFlags &= ~CallFlag::ARGS;
    }
}
