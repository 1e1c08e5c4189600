<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Blocking;

use Fiber;
use Reasno\GoTask\Platform\Select;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\FastSocket;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Stream\FastStream;
use Reasno\GoTask\Runtime\Stream\TransportConnection;
use Swoole\Coroutine;
use Throwable;

use function array_values;
use function class_exists;
use function getmypid;
use function hrtime;
use function intdiv;
use function min;
use function spl_object_id;
use function usleep;

use const PHP_INT_MAX;

/**
 * The process waits, and reads for all its calls while it does.
 *
 * It writes without waiting, and reads when the peer takes no more: two large payloads that cross each other would block both ends
 * for ever otherwise.
 *
 * @internal
 */
final class BlockingConnection extends TransportConnection
{
    private static ?bool $hasSwoole = null;

    private ?BlockingFastSocket $fastSocket = null;

    protected function written(Call $call): void
    {
        while ($this->session->sendBuffer->length > 0 && $call->state === CallState::Waiting) {
            $this->step($call);
        }
    }

    public function await(Call $call): void
    {
        if ($this->entered && $call->state === CallState::Waiting) {
            throw self::nested($call);
        }

        try {
            while ($call->state === CallState::Waiting) {
                $this->step($call);
            }
        } catch (Throwable $thrown) {
            // Nobody waits for it any more.
            $this->cancel($call);

            throw $thrown;
        }
    }

    public function awaitAny(array $calls): void
    {
        $connections = [];
        foreach ($calls as $call) {
            $connection = $call->connection;
            if ($connection?->entered === true) {
                throw self::nested($call);
            }
            if ($connection instanceof self && $connection !== $this) {
                $connections[spl_object_id($connection)] = $connection;
            }
        }
        $connections = $connections === [] ? [] : [$this, ...array_values($connections)];
        while (true) {
            foreach ($calls as $call) {
                if ($call->state !== CallState::Waiting) {
                    return;
                }
            }
            $connections === [] ? $this->step($calls) : self::stepTogether($connections, $calls);
        }
    }

    public function canJoin(Connection $other): bool
    {
        return $other instanceof self;
    }

    public function callFast(Call $call, int $now): bool
    {
        $session = $this->session;
        if (
            $this->fastSocket === null
            || $this->entered
            || $session->calls !== []
            || $session->goingAway
            || $this->pid !== getmypid()
            || Fiber::getCurrent() !== null
            || self::$hasSwoole && Coroutine::getCid() > 0
        ) {
            return false;
        }
        $call->connection = $this;
        $this->lastUsed = $now;
        $this->entered = true;

        try {
            $isFast = $this->submitFast($call, $now, false);
            if ($isFast) {
                $this->takeMessage($this->fastSocket->awaitQuick($call->micros));
            }
        } catch (Throwable $thrown) {
            throw $this->interruptedWaiting($thrown, $call);
        }
        $this->entered = false;
        if ($this->postponed !== []) {
            $this->leave();
        }
        if ($isFast && $call->state === CallState::Waiting) {
            $this->await($call);
        }

        return $isFast;
    }

    protected function connectFast(): ?FastSocket
    {
        $socket = FastStream::connect($this->address);
        self::$hasSwoole ??= class_exists(Coroutine::class, false);

        return $this->fastSocket = $socket === null ? null : new BlockingFastSocket($socket, self::OVERDUE);
    }

    protected function unwatchFast(): void
    {
        $this->fastSocket = null;
    }

    protected function disconnect(): void
    {
        $this->transport->close();
    }

    protected function forget(): void
    {
        $this->transport->close();
    }

    /**
     * Waits for the next thing that happens: bytes to read, room to write, a deadline.
     *
     * @param array<Call>|Call $awaited
     */
    private function step(array|Call $awaited): void
    {
        $this->entered = true;

        try {
            if ($this->session->fast > 0 && $this->fastSocket !== null) {
                $this->waitFast($this->session, $this->fastSocket);
            } else {
                $this->wait($this->session);
            }
        } catch (Throwable $thrown) {
            throw $this->interruptedWaiting($thrown, $awaited);
        }
        $this->entered = false;
        if ($this->postponed !== []) {
            $this->leave();
        }
    }

    /**
     * A signal's handler has thrown something while its caller waited for these calls, so nobody waits for them any more. The connection is
     * closed, and a call that runs would go on: so they are cancelled first. That can't be done where a frame is half written.
     *
     * @param array<Call>|Call $awaited
     */
    private function interruptedWaiting(Throwable $thrown, array|Call $awaited): Throwable
    {
        try {
            if ($this->session->sendBuffer->length === 0) {
                foreach ($awaited instanceof Call ? [$awaited] : $awaited as $call) {
                    if ($call->connection === $this) {
                        $this->session->cancel($call);
                    }
                }
                $this->write();
            }
        } finally {
            $this->interrupted($thrown);
        }

        return $thrown;
    }

    private function wait(Session $session): void
    {
        $now = hrtime(true);
        $wait = $session->earliest - $now;
        if ($wait <= 0) {
            $this->receiveWhatIsThere();
            $this->expire($now);
            $this->write();
        } elseif ($session->sendBuffer->length === 0) {
            $this->receive($wait);
        } else {
            if ($this->transport->poll($wait)) {
                $this->receive(0);
            }
            $this->write();
        }
    }

    /**
     * Like wait(), while something is outstanding on the fast path: at most until that is overdue.
     */
    private function waitFast(Session $session, BlockingFastSocket $socket): void
    {
        if ($session->expectsMore() || $session->sendBuffer->length > 0) {
            self::waitTogether([$this]);
        } elseif ($this->takeMessage($socket->await())) {
            if ($this->session->sendBuffer->length > 0) { // a call that was given back
                $this->write();
            }
        } else {
            $this->lookAfterFast();
            $this->receive(0);
            $this->write();
        }
    }

    /**
     * Like step(), for the next thing that happens on any of these connections.
     *
     * @param non-empty-list<self> $connections
     * @param array<Call> $awaited
     */
    private static function stepTogether(array $connections, array $awaited): void
    {
        foreach ($connections as $connection) {
            $connection->entered = true;
        }

        try {
            self::waitTogether($connections);
        } catch (Throwable $thrown) {
            foreach ($connections as $connection) {
                $connection->interruptedWaiting($thrown, $awaited);
            }

            throw $thrown;
        }
        foreach ($connections as $connection) {
            $connection->entered = false;
            $connection->leave();
        }
    }

    /**
     * @param non-empty-list<self> $connections
     */
    private static function waitTogether(array $connections): void
    {
        $now = (int) hrtime(true);
        $earliest = PHP_INT_MAX;
        $reads = $writes = [];
        foreach ($connections as $key => $connection) {
            if (! $connection->open) {
                continue;
            }
            if ($connection->session->earliest <= $now) {
                $connection->receiveWhatIsThere();
                $connection->expire($now);
                $connection->write();

                return;
            }
            $earliest = min($earliest, $connection->session->earliest);
            $reads[$key] = $connection->transport->stream();
            if ($connection->session->fast > 0) {
                $connection->lookAfterFast();
                $connection->write();
                $earliest = min($earliest, $now + self::OVERDUE);
                if ($connection->fastSocket !== null) {
                    $reads["fast {$key}"] = $connection->fastSocket->stream();
                }
            }
            if ($connection->session->sendBuffer->length > 0) {
                $writes[$key] = $reads[$key];
            }
        }
        if ($reads === []) {
            return;
        }
        [$read, $written] = [$reads, $writes];
        if (Select::streams($reads, $writes, $earliest - $now) === null) {
            [$reads, $writes] = [$read, $written];
            usleep(intdiv(Select::PAUSE, 1000));
        }
        foreach ($connections as $key => $connection) {
            if (isset($reads["fast {$key}"])) {
                $connection->drainFast();
                $connection->write();
            }
            if (isset($reads[$key])) {
                $connection->receive(0);
            }
            if (isset($writes[$key])) {
                $connection->write();
            }
        }
    }
}
