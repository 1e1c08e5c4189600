<?php

declare(strict_types=1);

namespace Reasno\GoTask\Pool;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Runtime\Latch;
use Reasno\GoTask\Runtime\Runtime;
use Reasno\GoTask\Runtime\Stream\StreamConnector;

use function count;
use function getmypid;
use function hrtime;
use function min;

use const PHP_INT_MAX;

/**
 * The connections of one client in one runtime to one address.
 *
 * Calls go to the first connection as long as it is not busy, since frames that leave together cost the least. Further ones are
 * opened while all are busy: with many calls, or with one large frame that the others would have to wait for.
 * Nothing is taken out or put back: a connection serves as many calls at a time as there are.
 *
 * @internal
 */
final class Pool implements Connections
{
    private const OPENING = 1 << 40;

    /** @var list<Connection> */
    private array $connections = [];

    /** How many have been opened so far. */
    public int $opened = 0;

    private bool $opening = false;

    private ?Latch $latch = null;

    /** How the last attempt to open a connection failed, if it did. */
    private null|ConnectFailed|NotAuthorized|WorkerStartFailed $failed = null;

    private readonly Opener $opener;

    private int $pid;

    public function __construct(private readonly Runtime $runtime, private readonly Settings $settings, private readonly Address $address)
    {
        $this->pid = (int) getmypid();
        $this->opener = new Opener($runtime, $settings, $address);
    }

    /**
     * @param null|int $limit when opening a connection must have succeeded, hrtime() in ns; null: after the connect timeout
     * @param bool $waits whether a worker that is being started is waited for
     */
    public function acquire(int $deadline, int $now, string $method, int $key = 0, ?int $limit = null, bool $waits = true): Connection
    {
        if ($this->pid !== getmypid()) {
            $this->abandon();
        }
        $connection = $this->connections[0] ?? null;
        // A forked child may have ended a TLS connection that it could not let go of, see Descriptor: better found now.
        if ($connection === null || ! $connection->isFine($now) || $this->address->tls && $connection->isIdle() && ! $connection->probe()) {
            $connection = $this->find($deadline, $now, $method, $limit, $waits);
        }
        $connection->lastUsed = $now;

        return $connection;
    }

    public function failed(Connection $connection, string $why): void
    {
    }

    public function suspect(Connection $connection): void
    {
    }

    public function addresses(): int
    {
        return 1;
    }

    public function runtime(): Runtime
    {
        return $this->runtime;
    }

    /**
     * How much is under way on all of them, to choose the least busy address. The first connection being opened counts for more
     * than any number of calls.
     */
    public function load(): int
    {
        $load = 0;
        foreach ($this->connections as $connection) {
            $load += $connection->load();
        }

        return $this->opening && $this->connections === [] ? self::OPENING : $load;
    }

    public function close(): void
    {
        $connections = $this->connections;
        $this->connections = [];
        foreach ($connections as $connection) {
            $connection->retired = true;
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

    private function find(int $deadline, int $now, string $method, ?int $limit, bool $waits): Connection
    {
        while (true) {
            $this->sortOut($now);
            $best = $this->leastBusy();
            if ($best !== null && (! $best->isBusy() || $this->opening || count($this->connections) >= $this->settings->maxConnections)) {
                return $best;
            }
            if (! $this->opening) {
                try {
                    return $this->open($deadline, $method, $limit, $waits);
                } catch (ConnectFailed|NotAuthorized|WorkerStartFailed $failed) {
                    if ($best === null || ! $best->isUsable()) {
                        throw $failed;
                    }
                    $this->settings->logger->warning('No further connection can be opened: {reason}', ['reason' => $failed->getMessage()]);

                    return $best;
                }
            }
            if ($now >= $deadline) {
                throw Opener::expired($method, null);
            }
            if ($limit !== null && $now >= $limit) {
                throw StreamConnector::failed($this->address, 'it takes too long');
            }
            $this->latch ??= $this->runtime->latch();
            if ($this->latch === null) {
                // This caller has interrupted the one that opens a connection, and can't wait for it.
                return $this->open($deadline, $method, $limit, $waits);
            }
            $this->latch->wait((min($deadline, $limit ?? $deadline) - $now) / 1e9);
            if ($this->failed !== null && $this->connections === []) {
                // One attempt counts for all who waited: they do not each try again, one after the other.
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
            if ($connection->isEntered()) {
                continue;
            }
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
     * Lets go of connections that take no more calls, and of those that have not been needed for long: not of the only free one,
     * unless none is to be kept.
     */
    private function sortOut(int $now): void
    {
        $kept = [];
        $free = $this->settings->minConnections === 0;
        $maxIdle = (int) ($this->settings->maxIdleTime * 1e9);
        foreach ($this->connections as $connection) {
            $unused = $now - $connection->lastUsed;
            if ($connection->isOpen() && $connection->isEntered()) {
                $kept[] = $connection;
                continue;
            }
            if (! $connection->isUsable() || $unused > Connection::DOUBT && $connection->isIdle() && ! $connection->probe()) {
                // A connection that is going away still answers its calls: their callers hold it.
                continue;
            }
            if ($free && $unused > $maxIdle && $connection->isIdle() && count($kept) >= $this->settings->minConnections) {
                $connection->close('it was idle');
                continue;
            }
            $kept[] = $connection;
            $free = $free || ! $connection->isBusy();
        }
        $this->connections = $kept;
    }

    private function open(int $deadline, string $method, ?int $limit, bool $waits): Connection
    {
        $this->opening = true;
        $this->failed = null;

        try {
            $connection = $this->opener->open($deadline, $method, $limit, $waits);
            $this->connections[] = $connection;
            $this->opened++;

            return $connection;
        } catch (ConnectFailed|NotAuthorized|WorkerStartFailed $failed) {
            throw $this->failed = $failed;
        } finally {
            $this->opening = false;
            $latch = $this->latch;
            $this->latch = null;
            $latch?->open();
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
}
