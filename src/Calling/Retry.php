<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Closure;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\TransportFailed;
use Reasno\GoTask\Exception\Unavailable;
use Reasno\GoTask\Exception\WorkerCrashed;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\ErrorReply;
use Reasno\GoTask\Protocol\Methods;
use Reasno\GoTask\Protocol\Peer;
use Reasno\GoTask\Runtime\Latch;

use function hrtime;
use function rtrim;
use function str_contains;
use function str_starts_with;

/**
 * Sends calls again where that does no harm: those that have certainly not run, since no byte of them was written or a broker refused
 * them; and within a budget those of idempotent methods.
 *
 * @internal
 */
final class Retry
{
    private readonly RetryBudget $budget;

    /** The reply to Hello of the last broker whose connection was lost. */
    private string $greeting = '';

    /** The methods that the greeting lists; null: it lists none. */
    private ?Methods $told = null;

    /** While one call asks a peer for its methods, others wait here for the answer. */
    private ?Latch $asking = null;

    public function __construct(private readonly Runtimes $runtimes, private readonly Result $result)
    {
        $this->budget = new RetryBudget();
    }

    /**
     * @param Call $call has an outcome
     * @param Closure(Call): void $submit
     * @return bool whether it is under way again
     * @throws GoTaskException when it has not run and can't be sent
     */
    public function resend(Call $call, Closure $submit): bool
    {
        $this->report($call);
        if ($call->cancelled || $call->exchange?->any === true) {
            return false;
        }
        $hasNotRun = $call->state === CallState::Lost
            ? ! $call->sent && $call->connection?->retired !== true
            : self::isRefused($call) && ($call->connection?->isUsable() === false || $this->runtimes->here()->addresses() > 1);

        return $hasNotRun
            ? $this->resendUnrun($call, $submit)
            : ($call->state === CallState::Lost || self::hasCrashed($call)) && $this->resendIdempotent($call, $submit);
    }

    /**
     * Whether the peer took no call. Where a method's executor takes none, the peer itself is well.
     */
    private static function isRefused(Call $call): bool
    {
        if ($call->state !== CallState::Replied || ($call->replyFlags & Flag::ERROR) === 0 || ! str_contains($call->reply, 'unavailable')) {
            return false;
        }
        $refusal = ErrorReply::toException($call->method, $call->reply);

        return $refusal instanceof Unavailable && ! isset($refusal->data['executor']);
    }

    /**
     * Whether a worker died of a call that it had by the fast path. The broker resends by itself only what went through it.
     */
    private static function hasCrashed(Call $call): bool
    {
        return $call->state === CallState::Replied
            && $call->fastSince !== 0
            && ($call->replyFlags & Flag::ERROR) !== 0
            && ErrorReply::toException($call->method, $call->reply) instanceof WorkerCrashed;
    }

    /**
     * Reports what an outcome says about its address to the pool or cluster.
     */
    private function report(Call $call): void
    {
        $connection = $call->connection;
        if ($connection === null || $connection->reported || $connection->retired) {
            return;
        }
        if ($call->state === CallState::Lost) {
            $connection->reported = true;
            $this->budget->earn($connection->session->callsSince());
            $this->runtimes->here()->failed($connection, rtrim($call->reply, '.'));
        } elseif (self::hasCrashed($call)) {
            $this->budget->earn($connection->session->callsSince());
        } elseif (self::isRefused($call)) {
            $this->runtimes->here()->failed($connection, 'it takes no calls');
        } elseif ($call->state === CallState::Expired) {
            $this->runtimes->here()->suspect($connection);
        }
    }

    /**
     * At most once for each address, which may refuse the call, and once more for a connection that turns out to be dead.
     *
     * @param Closure(Call): void $submit
     * @throws GoTaskException
     */
    private function resendUnrun(Call $call, Closure $submit): bool
    {
        if ($call->resends > $this->runtimes->here()->addresses()) {
            return false;
        }
        $call->resends++;
        $unsent = $call->state === CallState::Lost;
        $reply = $call->reply;
        $call->reset();

        try {
            $submit($call);
        } catch (ConnectFailed $failed) {
            throw $unsent ? $failed : ErrorReply::toException($call->method, $reply);
        }

        return true;
    }

    /**
     * Where sending fails, the call keeps its outcome.
     *
     * @param Closure(Call): void $submit
     */
    private function resendIdempotent(Call $call, Closure $submit): bool
    {
        $attempts = $call->idempotentResends + 1;
        $pause = $this->budget->pause($attempts);
        $isTooLate = hrtime(true) + (int) ($pause * 1e9) >= $call->deadline;
        if (! $this->mayBeIdempotent($call) || $isTooLate || $attempts >= RetryBudget::ATTEMPTS || $this->budget->isEmpty() || $call->connection?->retired === true) {
            return false;
        }
        [$state, $flags, $reply, $connection] = [$call->state, $call->replyFlags, $call->reply, $call->connection];

        try {
            if (! $this->isIdempotent($call) || ! $this->budget->take()) {
                return false;
            }
            $this->runtimes->here()->runtime()->pause($pause);
            if ($call->cancelled) {
                $call->state = CallState::Cancelled;

                return false;
            }
            $call->idempotentResends++;
            $call->reset();
            $submit($call);

            return true;
        } catch (Cancelled $cancelled) {
            throw $cancelled;
        } catch (CallFailed|TransportFailed|WorkerStartFailed) {
            $call->sent = true;
            [$call->state, $call->replyFlags, $call->reply, $call->connection] = [$state, $flags, $reply, $connection];

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
            // The broker's own methods change nothing.
            return true;
        }
        while (true) {
            $connection = $this->runtimes->acquire($call, (int) hrtime(true));
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
        $latch = $this->runtimes->here()->runtime()->latch();
        $this->asking = $latch;

        try {
            $question = new Call('GoTask.Methods', Flag::MSGPACK, '', 0, $call->deadline, $call->timeout);
            $connection->submit($question, (int) hrtime(true));
            $connection->await($question);
            $this->report($question);
            if ($question->state !== CallState::Replied) {
                return false;
            }
            $connection->methods = Methods::of($question->hasResult() ? $this->result->decode($question) : null);

            return $connection->methods->isIdempotent($call->method);
        } finally {
            $this->asking = null;
            $latch?->open();
        }
    }
}
