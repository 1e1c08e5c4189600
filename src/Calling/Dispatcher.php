<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Fiber;
use LogicException;
use Reasno\GoTask\Address;
use Reasno\GoTask\Args;
use Reasno\GoTask\Codec\Codec;
use Reasno\GoTask\Codec\JsonCodec;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\PayloadTooLarge;
use Reasno\GoTask\Exception\TransportFailed;
use Reasno\GoTask\Exception\Unavailable;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Goridge\CallFlag;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Pool\Cluster;
use Reasno\GoTask\Pool\Connections;
use Reasno\GoTask\Pool\Pool;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\ErrorReply;
use Reasno\GoTask\Protocol\Methods;
use Reasno\GoTask\Protocol\Outcome;
use Reasno\GoTask\Protocol\Peer;
use Reasno\GoTask\Runtime\Blocking\BlockingRuntime;
use Reasno\GoTask\Runtime\Latch;
use Reasno\GoTask\Runtime\Revolt\RevoltRuntime;
use Reasno\GoTask\Runtime\Runtime;
use Reasno\GoTask\Runtime\Swoole\SwooleRuntime;
use Revolt\EventLoop;
use Swoole\Coroutine;
use Throwable;

use function class_exists;
use function count;
use function getmypid;
use function hrtime;
use function rtrim;
use function str_contains;
use function str_starts_with;
use function strlen;

/**
 * Brings calls to a connection of the runtime that they are made in, and their outcome back to the caller.
 *
 * Sends a call again only where that does no harm: when it has certainly not run, since no byte of it was written or a broker refused
 * it; and within a budget when its method is idempotent.
 *
 * @internal
 */
final class Dispatcher
{
    private ?Connections $blocking = null;

    private ?Connections $swoole = null;

    private ?Connections $revolt = null;

    private ?EventLoop\Driver $driver = null;

    private readonly bool $hasSwoole;

    private readonly int $codecFlag;

    private readonly RetryBudget $retries;

    /** What the last broker that was lost had said when it was greeted. */
    private string $greeting = '';

    /** What that says of methods. */
    private ?Methods $told = null;

    /** Why no connection could be opened when that was last tried. */
    private null|ConnectFailed|DeadlineExceeded|NotAuthorized|WorkerStartFailed $outage = null;

    /** Until when other calls of parallel() share that failure, hrtime() in ns. */
    private int $outageEnd = 0;

    /** What holds up those who want to know what a peer says of its methods, while one of them asks. */
    private ?Latch $asking = null;

    /**
     * @param non-empty-list<Address> $addresses
     * @param null|Runtime $plain the runtime where there are neither coroutines nor fibers, for tests
     */
    public function __construct(
        private readonly array $addresses,
        private readonly Settings $settings,
        private readonly Codec $codec,
        private readonly ?Runtime $plain = null,
    ) {
        $this->retries = new RetryBudget();
        $this->hasSwoole = class_exists(Coroutine::class, false);
        $this->codecFlag = $codec->flag();
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

        try {
            $connection->submit($call, $now);
        } catch (Throwable $thrown) {
            $connection->cancel($call);

            throw $thrown;
        }
        if ($call->outcome === Outcome::Lost && ! $call->sent) {
            // The connection had died unnoticed.
            $this->resend($call);
        }
    }

    /**
     * The connection that a call is to take.
     *
     * @throws GoTaskException
     */
    public function connect(Call $call, int $now): Connection
    {
        $connection = $this->acquire($call, $now);
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
    }

    /**
     * Waits for a call that was submitted.
     *
     * @return mixed its result
     * @throws GoTaskException
     */
    public function finish(Call $call): mixed
    {
        $call->connection?->await($call);
        // hasResult(), without a call of it.
        if ($call->outcome === Outcome::Replied && ($call->replyFlags & Flag::ERROR) === 0) {
            return $this->decode($call);
        }
        while ($this->resend($call)) {
            $call->connection?->await($call);
        }

        return $this->result($call);
    }

    /**
     * Makes a call that has an outcome once more, where that does no harm.
     *
     * @return bool whether it is under way again
     * @throws GoTaskException when it has not run and can't be sent
     */
    public function resend(Call $call): bool
    {
        $this->report($call);
        if ($call->cancelled) {
            return false;
        }
        if ($this->hasNotRun($call)) {
            return $this->resendUnrun($call);
        }

        return $call->outcome === Outcome::Lost && $this->resendIdempotent($call);
    }

    /**
     * Whether it was answered, and not with an error.
     */
    public function hasResult(Call $call): bool
    {
        return $call->outcome === Outcome::Replied && ($call->replyFlags & Flag::ERROR) === 0;
    }

    public function cancel(Call $call): void
    {
        $call->cancelled = true;
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
    public function result(Call $call): mixed
    {
        return match ($call->outcome) {
            Outcome::Replied => $this->hasResult($call)
                ? $this->decode($call)
                : throw ErrorReply::toException($call->method, $call->reply),
            Outcome::Oversized => throw new PayloadTooLarge(
                "The result of {$call->method} has {$call->reply} bytes, more than is taken ({$this->settings->hints->maxPayload}) or what PHP's"
                . ' memory_limit leaves room for. The method has run; raise the limits or let it return less.',
                $call->method,
            ),
            Outcome::Expired => throw new DeadlineExceeded(
                "{$call->method} was not answered within {$call->timeout} s. Raise the timeout if it may take longer.",
                $call->method,
            ),
            Outcome::Cancelled => throw new Cancelled("{$call->method} was cancelled.", $call->method),
            Outcome::Lost => throw new ConnectionLost(
                "The connection to {$call->connection?->address} ended before {$call->method} was answered: " . rtrim($call->reply, '.') . '. '
                . ($call->sent || $call->idempotentResends > 0 ? 'It had been sent, so it may have run.' : 'It had not been sent.'),
                $call->sent || $call->idempotentResends > 0,
            ),
            Outcome::Waiting => throw new LogicException("{$call->method} is still under way."),
        };
    }

    /**
     * The runtime, where many calls of one caller are on connections that one coroutine or fiber can't wait for together.
     */
    public function spreads(): ?Runtime
    {
        $connections = count($this->addresses) > 1 ? $this->connections() : $this->blocking;

        return $connections === $this->blocking ? null : $connections?->runtime();
    }

    /**
     * Whether a call belongs to the process that this one was forked from.
     */
    public function isForked(Call $call): bool
    {
        return $call->connection !== null && $call->connection->pid !== getmypid();
    }

    /**
     * The calls of parallel() share a failure to connect, for as long as the attempt took: an address that does not answer would
     * else cost each of them that time, one after the other.
     *
     * @throws GoTaskException
     */
    private function acquire(Call $call, int $now): Connection
    {
        if ($this->outage !== null && $call->isOneOfMany && $now < $this->outageEnd) {
            throw $this->outage;
        }

        try {
            $connection = $this->connections()->acquire($call->deadline, $now, $call->method);
        } catch (ConnectFailed|DeadlineExceeded|NotAuthorized|WorkerStartFailed $failed) {
            $reason = $failed->getPrevious();
            $this->outage = $failed instanceof DeadlineExceeded && $reason instanceof ConnectFailed ? $reason : $failed;
            $end = hrtime(true);
            $this->outageEnd = $end + $end - $now;

            throw $failed;
        }
        $this->outage = null;

        return $connection;
    }

    /**
     * Whether it can be made again whatever its method.
     */
    private function hasNotRun(Call $call): bool
    {
        if ($call->outcome === Outcome::Lost) {
            return ! $call->sent;
        }

        return $this->isRefused($call) && ($call->connection?->isUsable() === false || count($this->addresses) > 1);
    }

    private function isRefused(Call $call): bool
    {
        return $call->outcome === Outcome::Replied
            && ($call->replyFlags & Flag::ERROR) !== 0
            && str_contains($call->reply, 'unavailable')
            && ErrorReply::toException($call->method, $call->reply) instanceof Unavailable;
    }

    /**
     * Tells those who choose between addresses what an outcome says about one.
     */
    private function report(Call $call): void
    {
        $connection = $call->connection;
        if ($connection === null || $connection->reported || $connection->retired) {
            return;
        }
        if ($call->outcome === Outcome::Lost) {
            $connection->reported = true;
            $this->retries->earn($connection->session->total());
            $this->connections()->failed($connection, rtrim($call->reply, '.'));
        } elseif ($this->isRefused($call)) {
            $this->connections()->failed($connection, 'it takes no calls');
        } elseif ($call->outcome === Outcome::Expired) {
            $this->connections()->suspect($connection);
        }
    }

    /**
     * Sends a call that has not run. Each address may refuse it once, and a connection may turn out to be dead once more.
     *
     * @throws GoTaskException
     */
    private function resendUnrun(Call $call): bool
    {
        if ($call->resends > count($this->addresses)) {
            return false;
        }
        $call->resends++;
        $unsent = $call->outcome === Outcome::Lost;
        $reply = $call->reply;
        $call->reset();

        try {
            $this->submit($call);
        } catch (ConnectFailed $failed) {
            throw $unsent ? $failed : ErrorReply::toException($call->method, $reply);
        }

        return true;
    }

    /**
     * Sends a call that may have run, if that does no harm and the budget has room for it. If it can't be sent, it stays lost.
     */
    private function resendIdempotent(Call $call): bool
    {
        $pause = $this->retries->pause($call->idempotentResends + 1);
        $isTooLate = hrtime(true) + (int) ($pause * 1e9) >= $call->deadline;
        if (! $this->mayBeIdempotent($call)) {
            return false;
        }
        if ($isTooLate || $call->idempotentResends + 1 >= RetryBudget::ATTEMPTS || $this->retries->isEmpty() || $call->connection?->retired === true) {
            return false;
        }
        [$reply, $connection] = [$call->reply, $call->connection];

        try {
            if (! $this->isIdempotent($call) || ! $this->retries->take()) {
                return false;
            }
            $this->connections()->runtime()->pause($pause);
            if ($call->cancelled) {
                $call->outcome = Outcome::Cancelled;

                return false;
            }
            $call->idempotentResends++;
            $call->reset();
            $this->submit($call);

            return true;
        } catch (Cancelled $cancelled) {
            throw $cancelled;
        } catch (CallFailed|TransportFailed|WorkerStartFailed) {
            $call->outcome = Outcome::Lost;
            $call->sent = true;
            [$call->reply, $call->connection] = [$reply, $connection];

            return false;
        }
    }

    /**
     * Whether its method may be idempotent, by what is known already. Any other call is told of its loss at once, however long the
     * next broker takes to start.
     */
    private function mayBeIdempotent(Call $call): bool
    {
        $session = $call->connection?->session;
        if ($session?->peer === Peer::Broker && $session->greeting !== $this->greeting) {
            $this->greeting = $session->greeting;
            $this->told = Methods::told($this->greeting);
        }
        if (str_starts_with($call->method, 'GoTask.')) {
            return true;
        }
        if ($session?->peer === Peer::Plain || $this->greeting === '') {
            return false;
        }

        return $this->told?->isIdempotent($call->method) ?? true;
    }

    /**
     * Whether a method is idempotent, by what the peer says of it that would run it next. It is asked once on each connection.
     *
     * @throws GoTaskException
     */
    private function isIdempotent(Call $call): bool
    {
        if (str_starts_with($call->method, 'GoTask.')) {
            // The broker's own methods only tell.
            return true;
        }
        while (true) {
            $connection = $this->acquire($call, (int) hrtime(true));
            if ($connection->methods !== null) {
                return $connection->methods->isIdempotent($call->method);
            }
            if ($this->asking === null) {
                break;
            }
            $left = $call->deadline - hrtime(true);
            if ($left <= 0) {
                return false;
            }
            $this->asking->wait($left / 1e9);
        }
        $latch = $this->connections()->runtime()->latch();
        $this->asking = $latch;

        try {
            $question = new Call('GoTask.Methods', Flag::MSGPACK, '', 0, $call->deadline, $call->timeout);
            $connection->submit($question, (int) hrtime(true));
            $connection->await($question);
            $this->report($question);
            if ($question->outcome !== Outcome::Replied) {
                return false;
            }
            $connection->methods = Methods::of(($question->replyFlags & Flag::ERROR) === 0 ? $this->decode($question) : null);

            return $connection->methods->isIdempotent($call->method);
        } finally {
            $this->asking = null;
            $latch?->open();
        }
    }

    private function decode(Call $call): mixed
    {
        $flags = $call->replyFlags;
        if (($flags & Flag::RAW) !== 0) {
            return $call->reply;
        }
        if ($call->replyHead !== '') {
            if ($this->codec instanceof MessagePackCodec || ($flags & $this->codec->flag()) === 0) {
                return $call->reply;
            }

            return $this->codec->decode($call->replyHead . $call->reply);
        }
        if ($call->reply === '') {
            return null;
        }
        if (($flags & $this->codecFlag) !== 0) {
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
    private function requireBroker(Connection $connection, Call $call): void
    {
        if ($connection->session->peer === Peer::Unknown) {
            // Whatever is answered to this, Hello is answered before.
            $barrier = new Call('GoTask.Ping', Flag::JSON, '', 0, $call->deadline, $call->timeout);
            $call->connection = $connection;
            $connection->submit($barrier, hrtime(true));
            $connection->await($barrier);
            if (($refused = self::refusal($barrier)) !== null) {
                throw $refused;
            }
            if ($barrier->outcome === Outcome::Expired) {
                $call->outcome = Outcome::Expired;
                $this->result($call);
            }
        }
        if ($connection->session->peer !== Peer::Broker && ($call->callFlags & CallFlag::ARGS) !== 0 && $connection->isOpen()) {
            if ($call->body === (new Args())->encode($this->codec)) {
                // No arguments at all is what any peer understands.
                $call->body = '';
                $call->callFlags &= ~CallFlag::ARGS;

                return;
            }

            throw new InvalidRequest(
                "The peer at {$connection->address} is a plain Goridge server, which knows no named arguments: give call() one payload.",
                $call->method,
            );
        }
    }

    private static function refusal(Call $call): ?NotAuthorized
    {
        $isError = $call->outcome === Outcome::Replied && ($call->replyFlags & Flag::ERROR) !== 0;
        $error = $isError ? ErrorReply::toException($call->method, $call->reply) : null;

        return $error instanceof NotAuthorized ? $error : null;
    }

    /**
     * That of the runtime in which this is called.
     */
    private function connections(): Connections
    {
        if ($this->hasSwoole && Coroutine::getCid() > 0) {
            return $this->swoole ??= $this->make(new SwooleRuntime());
        }
        if (Fiber::getCurrent() !== null && class_exists(EventLoop::class, false)) {
            $driver = EventLoop::getDriver();
            if ($driver->isRunning()) {
                if ($this->revolt === null || $this->driver !== $driver) {
                    $this->driver = $driver;
                    $this->revolt = $this->make(new RevoltRuntime($driver));
                }

                return $this->revolt;
            }
        }

        return $this->blocking ??= $this->make($this->plain ?? new BlockingRuntime());
    }

    private function make(Runtime $runtime): Connections
    {
        return count($this->addresses) === 1
            ? new Pool($runtime, $this->settings, $this->addresses[0])
            : new Cluster($runtime, $this->settings, $this->addresses);
    }
}
