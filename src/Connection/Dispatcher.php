<?php

declare(strict_types=1);

namespace Reasno\GoTask\Connection;

use Fiber;
use LogicException;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\ErrorReply;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\PayloadTooLarge;
use Reasno\GoTask\Exception\Unavailable;
use Reasno\GoTask\Goridge\CallFlag;
use Reasno\GoTask\Goridge\Codec;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\JsonCodec;
use Reasno\GoTask\Goridge\MessagePackCodec;
use Reasno\GoTask\Runtime\BlockingRuntime;
use Reasno\GoTask\Runtime\RevoltRuntime;
use Reasno\GoTask\Runtime\SwooleRuntime;
use Revolt\EventLoop;
use Swoole\Coroutine;

use function class_exists;
use function getmypid;
use function hrtime;
use function rtrim;
use function strlen;

/**
 * Brings calls to a connection of the runtime that they are made in, and their outcome back to the caller.
 *
 * Resends, once, only what has certainly not run: of which no byte was written, or what a broker that goes away refused.
 *
 * @internal
 */
final class Dispatcher
{
    private ?Pool $blocking = null;

    private ?Pool $swoole = null;

    private ?Pool $revolt = null;

    private ?EventLoop\Driver $driver = null;

    private readonly bool $hasSwoole;

    public function __construct(private readonly Settings $settings, private readonly Codec $codec)
    {
        $this->hasSwoole = class_exists(Coroutine::class, false);
    }

    /**
     * Sends a call; see Connection::submit().
     *
     * @throws GoTaskException when it can't be sent
     */
    public function submit(Pending $call): void
    {
        $now = hrtime(true);
        $connection = $this->connect($call, $now);
        $connection->submit($call, $now);
        if ($call->outcome === Outcome::Lost && ! $call->sent) {
            // The connection had died unnoticed.
            $call->reset();
            $this->connect($call, $now)->submit($call, $now);
        }
    }

    /**
     * The connection that a call is to take.
     *
     * @throws GoTaskException
     */
    public function connect(Pending $call, int $now): Connection
    {
        $connection = $this->pool()->acquire($call->deadline, $now, $call->method);
        if ($call->callFlags !== 0 && $connection->session->peer !== Peer::Broker) {
            $this->requireBroker($connection, $call);
        }
        $limit = $connection->session->limit < $connection->session->maxPayload ? $connection->session->limit : $connection->session->maxPayload;
        $length = strlen($call->method) + strlen($call->body);
        if ($length > $limit) {
            throw new PayloadTooLarge(
                "The call of {$call->method} has {$length} bytes and the limit is {$limit}: send less, or raise the limit"
                . ' (maxPayload of the client, --max-payload of the worker). It was not sent.',
                $call->method,
            );
        }

        return $connection;
    }

    /**
     * Waits for a call that was submitted.
     *
     * @return mixed its result
     * @throws GoTaskException
     */
    public function finish(Pending $call): mixed
    {
        if ($call->outcome === Outcome::Waiting) {
            $call->connection?->await($call);
        }
        if ($call->outcome === Outcome::Replied && ($call->replyFlags & Flag::ERROR) === 0) {
            return $this->decode($call);
        }
        if ($this->hasNotRun($call)) {
            $unsent = $call->outcome === Outcome::Lost;
            $reply = $call->reply;
            $call->reset();

            try {
                $this->submit($call);
            } catch (ConnectFailed $failed) {
                throw $unsent ? $failed : ErrorReply::toException($call->method, $reply);
            }
            $call->connection?->await($call);
        }

        return $this->result($call);
    }

    public function cancel(Pending $call): void
    {
        $call->connection?->cancel($call);
    }

    public function close(): void
    {
        $this->blocking?->close();
        $this->swoole?->close();
        $this->revolt?->close();
    }

    /**
     * What a call that has an outcome has come to.
     *
     * @throws GoTaskException
     */
    public function result(Pending $call): mixed
    {
        return match ($call->outcome) {
            Outcome::Replied => ($call->replyFlags & Flag::ERROR) === 0
                ? $this->decode($call)
                : throw ErrorReply::toException($call->method, $call->reply),
            Outcome::Oversized => throw new PayloadTooLarge(
                "The result of {$call->method} has {$call->reply} bytes, more than the client's maxPayload or what PHP's memory_limit"
                . ' leaves room for. The method has run; raise the limits or let it return less.',
                $call->method,
            ),
            Outcome::Expired => throw new DeadlineExceeded(
                "{$call->method} was not answered within {$call->timeout} s. Raise the timeout if it may take longer.",
                $call->method,
            ),
            Outcome::Cancelled => throw new Cancelled("{$call->method} was cancelled.", $call->method),
            Outcome::Lost => throw new ConnectionLost(
                "The connection to {$this->settings->address} ended before {$call->method} was answered: " . rtrim($call->reply, '.') . '. '
                . ($call->sent ? 'It had been sent, so it may have run.' : 'It had not been sent.'),
                $call->sent,
            ),
            Outcome::Waiting => throw new LogicException("{$call->method} is still under way."),
        };
    }

    /**
     * Whether it can be made again without any harm.
     */
    public function hasNotRun(Pending $call): bool
    {
        if ($call->outcome === Outcome::Lost) {
            return ! $call->sent;
        }

        return $call->outcome === Outcome::Replied
            && ($call->replyFlags & Flag::ERROR) !== 0
            && $call->connection?->isUsable() === false
            && ErrorReply::toException($call->method, $call->reply) instanceof Unavailable;
    }

    /**
     * Whether a call belongs to the process that this one was forked from.
     */
    public function isForked(Pending $call): bool
    {
        return $call->connection !== null && $call->connection->pid !== getmypid();
    }

    private function decode(Pending $call): mixed
    {
        $flags = $call->replyFlags;
        if (($flags & Flag::RAW) !== 0) {
            return $call->reply;
        }
        if ($call->reply === '') {
            return null;
        }
        if (($flags & $this->codec->flag()) !== 0) {
            return $this->codec->decode($call->reply);
        }
        if (($flags & Flag::MSGPACK) !== 0) {
            return (new MessagePackCodec())->decode($call->reply);
        }
        if (($flags & Flag::JSON) !== 0) {
            return (new JsonCodec())->decode($call->reply);
        }

        throw new DecodeFailed("The result of {$call->method} is in none of MessagePack, JSON and RAW (flags {$flags}).");
    }

    /**
     * Flags must not be sent before it is known that the peer understands them.
     *
     * @throws CallFailed
     */
    private function requireBroker(Connection $connection, Pending $call): void
    {
        if ($connection->session->peer === Peer::Unknown) {
            // Whatever is answered to this, Hello is answered before.
            $barrier = new Pending('GoTask.Ping', Flag::JSON, '', 0, $call->deadline, $call->timeout);
            $connection->submit($barrier, hrtime(true));
            $connection->await($barrier);
            if ($barrier->outcome === Outcome::Expired) {
                $call->outcome = Outcome::Expired;
                $this->result($call);
            }
        }
        if ($connection->session->peer !== Peer::Broker && ($call->callFlags & CallFlag::ARGS) !== 0 && $connection->isOpen()) {
            throw new InvalidRequest(
                "The peer at {$connection->address} is a plain Goridge server, which knows no named arguments: give call() one payload.",
                $call->method,
            );
        }
    }

    /**
     * That of the runtime in which this is called.
     */
    private function pool(): Pool
    {
        if ($this->hasSwoole && Coroutine::getCid() > 0) {
            return $this->swoole ??= new Pool(new SwooleRuntime(), $this->settings);
        }
        if (Fiber::getCurrent() !== null && class_exists(EventLoop::class, false)) {
            $driver = EventLoop::getDriver();
            if ($driver->isRunning()) {
                if ($this->revolt === null || $this->driver !== $driver) {
                    $this->driver = $driver;
                    $this->revolt = new Pool(new RevoltRuntime($driver), $this->settings);
                }

                return $this->revolt;
            }
        }

        return $this->blocking ??= new Pool(new BlockingRuntime(), $this->settings);
    }
}
