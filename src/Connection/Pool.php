<?php

declare(strict_types=1);

namespace Reasno\GoTask\Connection;

use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Process\StatusFile;
use Reasno\GoTask\Runtime\Runtime;

use function array_map;
use function class_exists;
use function count;
use function getmypid;
use function hrtime;
use function json_encode;
use function min;

use const JSON_THROW_ON_ERROR;
use const JSON_UNESCAPED_SLASHES;
use const PHP_INT_MAX;

/**
 * The connections of one client in one runtime.
 *
 * Calls go to the first connection as long as it is not busy, since frames that leave together cost the least. Further ones are
 * opened while all are busy: with many calls, or with one large frame that the others would have to wait for.
 * Nothing is taken out or put back: a connection serves as many calls at a time as there are.
 *
 * @internal
 */
final class Pool
{
    private const VERSION = '0.1.0';

    /** After so many ns without a call it is worth asking whether the peer is still there. */
    private const DOUBT = 1_000_000_000;

    /** Seconds between two looks whether a worker that is being started is there. */
    private const PAUSE = 0.01;

    /** What reports a failure: where no descriptor is left for a connection, none is left to load a class with either. */
    private const REPORTERS = [StreamConnector::class, ConnectFailed::class, ConnectionLost::class, DeadlineExceeded::class];

    /** @var list<Connection> */
    private array $connections = [];

    private bool $opening = false;

    private ?Latch $latch = null;

    /** How the last attempt to open a connection failed, if it did. */
    private null|ConnectFailed|WorkerStartFailed $failed = null;

    private int $pid;

    public function __construct(private readonly Runtime $runtime, private readonly Settings $settings)
    {
        $this->pid = (int) getmypid();
        array_map(class_exists(...), self::REPORTERS);
    }

    /**
     * @param int $deadline of the call that is to be sent, hrtime() in ns
     * @param int $now hrtime() in ns
     * @throws ConnectFailed
     * @throws WorkerStartFailed when its supervisor says so
     * @throws DeadlineExceeded when the call's time is over before there is a connection
     */
    public function acquire(int $deadline, int $now, string $method): Connection
    {
        if ($this->pid !== getmypid()) {
            $this->abandon();
        }
        $connection = $this->connections[0] ?? null;
        if ($connection === null || ! $connection->isUsable() || $connection->isBusy() || $now - $connection->lastUsed > self::DOUBT) {
            $connection = $this->find($deadline, $now, $method);
        }
        $connection->lastUsed = $now;

        return $connection;
    }

    public function close(): void
    {
        $connections = $this->connections;
        $this->connections = [];
        foreach ($connections as $connection) {
            if ($this->pid === getmypid()) {
                $connection->close('the client was closed');
            } else {
                $connection->abandon();
            }
        }
    }

    public function count(): int
    {
        return count($this->connections);
    }

    private function find(int $deadline, int $now, string $method): Connection
    {
        while (true) {
            $this->sortOut($now);
            $best = $this->leastBusy();
            if ($best !== null && (! $best->isBusy() || $this->opening || count($this->connections) >= $this->settings->maxConnections)) {
                return $best;
            }
            if (! $this->opening) {
                try {
                    return $this->open($deadline, $method);
                } catch (ConnectFailed|WorkerStartFailed $failed) {
                    if ($best === null || ! $best->isUsable()) {
                        throw $failed;
                    }
                    $this->settings->logger->warning('No further connection can be opened: {reason}', ['reason' => $failed->getMessage()]);

                    return $best;
                }
            }
            if ($now >= $deadline) {
                throw self::expired($method, null);
            }
            $this->latch ??= $this->runtime->latch();
            $this->latch->wait(($deadline - $now) / 1e9);
            if ($this->failed !== null && $this->connections === []) {
                // What was tried for all has failed for all: it is not tried once more for each of them, one after the other.
                throw $this->failed;
            }
            $now = (int) hrtime(true);
        }
    }

    private function leastBusy(): ?Connection
    {
        $best = null;
        $least = PHP_INT_MAX;
        foreach ($this->connections as $connection) {
            if (! $connection->isBusy()) {
                return $connection;
            }
            $load = $connection->load();
            if ($load < $least) {
                [$best, $least] = [$connection, $load];
            }
        }

        return $best;
    }

    /**
     * Lets go of connections that take no more calls, and of those that have not been needed for long.
     */
    private function sortOut(int $now): void
    {
        $kept = [];
        $maxIdle = (int) ($this->settings->maxIdleTime * 1e9);
        foreach ($this->connections as $connection) {
            $unused = $now - $connection->lastUsed;
            if (! $connection->isUsable() || $unused > self::DOUBT && $connection->isIdle() && ! $connection->probe()) {
                // One that is going away still answers what it has: those who wait for that hold it.
                continue;
            }
            if ($unused > $maxIdle && $connection->isIdle() && count($kept) >= $this->settings->minConnections) {
                $connection->close('it was idle');
                continue;
            }
            $kept[] = $connection;
        }
        $this->connections = $kept;
    }

    private function open(int $deadline, string $method): Connection
    {
        $this->opening = true;
        $this->failed = null;

        try {
            $connection = $this->connect($deadline, $method);
            $this->connections[] = $connection;

            return $connection;
        } catch (ConnectFailed|WorkerStartFailed $failed) {
            throw $this->failed = $failed;
        } finally {
            $this->opening = false;
            $latch = $this->latch;
            $this->latch = null;
            $latch?->open();
        }
    }

    private function connect(int $deadline, string $method): Connection
    {
        $start = hrtime(true);
        $limit = (int) min($start + $this->settings->connectTimeout * 1e9, $deadline);
        if ($limit <= $start) {
            throw self::expired($method, null);
        }
        $status = new StatusFile((string) $this->settings->address);
        while (true) {
            $available = $status->available();
            $failed = null;
            if ($available !== false) {
                try {
                    $session = new Session($this->settings->maxPayload, Memory::canHold(...));
                    $connection = $this->runtime->connect($this->settings->address, $session, ($limit - hrtime(true)) / 1e9);
                    $this->greet($connection, $limit);

                    return $connection;
                } catch (ConnectFailed $failed) {
                    // A supervisor would know by now what is wrong, or will do something about it.
                    $available = $status->available();
                }
            }
            $now = hrtime(true);
            if ($available === null || $now + self::PAUSE * 1e9 >= $limit) {
                $failed ??= StreamConnector::failed($this->settings->address, 'it is still being started');

                throw $limit === $deadline && $now >= $deadline - self::PAUSE * 1e9 ? self::expired($method, $failed) : $failed;
            }
            $this->runtime->pause(self::PAUSE);
        }
    }

    /**
     * On a Unix socket Hello leaves together with the first call, and is answered before it. Over a network the peer is asked
     * first: who has not said that it is one of ours gets no call.
     */
    private function greet(Connection $connection, int $limit): void
    {
        $address = $this->settings->address;
        $body = json_encode(
            ['protocol' => Session::PROTOCOL, 'peer' => 'php', 'version' => self::VERSION],
            JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES,
        );
        $hello = new Pending(Session::HELLO, Flag::JSON, $body, 0, $address->isUnix() ? PHP_INT_MAX : $limit, $this->settings->connectTimeout);
        $connection->session->greet($hello);
        if ($address->isUnix()) {
            return;
        }
        $connection->flush();
        $connection->await($hello);
        if ($hello->outcome !== Outcome::Replied) {
            $why = $hello->outcome === Outcome::Lost ? $hello->reply : "it does not answer within {$this->settings->connectTimeout} s";
            $connection->close($why);

            throw new ConnectFailed("Cannot connect to {$address}: {$why}. It may be another kind of server, or one that is overloaded.");
        }
    }

    /**
     * After a fork: the connections are the parent's.
     */
    private function abandon(): void
    {
        $connections = $this->connections;
        $this->connections = [];
        $this->opening = false;
        $this->latch = null;
        $this->pid = (int) getmypid();
        foreach ($connections as $connection) {
            $connection->abandon();
        }
    }

    private static function expired(string $method, ?ConnectFailed $previous): DeadlineExceeded
    {
        return new DeadlineExceeded(
            "The time for {$method} was over before there was a connection. It was not sent.",
            $method,
            previous: $previous,
        );
    }
}
