<?php

declare(strict_types=1);

namespace Reasno\GoTask\Pool;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Platform\Memory;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\StatusFile;
use Reasno\GoTask\Process\Status\WorkerStatus;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\ErrorReply;
use Reasno\GoTask\Protocol\Handshake;
use Reasno\GoTask\Protocol\Outcome;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Connection;
use Reasno\GoTask\Runtime\Latch;
use Reasno\GoTask\Runtime\Runtime;
use Reasno\GoTask\Runtime\Stream\StreamConnector;

use function array_map;
use function class_exists;
use function count;
use function getmypid;
use function hrtime;
use function min;
use function str_contains;

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
    /** Seconds between two looks whether a worker that is being started is there. */
    private const PAUSE = 0.01;

    private const OPENING = 1 << 40;

    /** What reports a failure: where no descriptor is left for a connection, none is left to load a class with either. */
    private const REPORTERS = [StreamConnector::class, Availability::class, ConnectFailed::class, ConnectionLost::class, DeadlineExceeded::class];

    /** @var list<Connection> */
    private array $connections = [];

    /** How many have been opened so far. */
    public int $opened = 0;

    private bool $opening = false;

    private ?Latch $latch = null;

    /** How the last attempt to open a connection failed, if it did. */
    private null|ConnectFailed|NotAuthorized|WorkerStartFailed $failed = null;

    private int $pid;

    public function __construct(private readonly Runtime $runtime, private readonly Settings $settings, private readonly Address $address)
    {
        $this->pid = (int) getmypid();
        array_map(class_exists(...), self::REPORTERS);
    }

    /**
     * @param null|int $limit when opening a connection must have succeeded, hrtime() in ns; null: after the connect timeout
     * @param bool $waits whether a worker that is being started is waited for
     */
    public function acquire(int $deadline, int $now, string $method, ?int $limit = null, bool $waits = true): Connection
    {
        if ($this->pid !== getmypid()) {
            $this->abandon();
        }
        $connection = $this->connections[0] ?? null;
        // A forked child that could not let go of a TLS connection may have ended it, see Descriptor: better to find that now.
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
                throw self::expired($method, null);
            }
            if ($limit !== null && $now >= $limit) {
                throw StreamConnector::failed($this->address, 'it takes too long');
            }
            $this->latch ??= $this->runtime->latch();
            if ($this->latch === null) {
                // The one that opens a connection goes on when this one, which has interrupted it, is done.
                return $this->open($deadline, $method, $limit, $waits);
            }
            $this->latch->wait((min($deadline, $limit ?? $deadline) - $now) / 1e9);
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
                // One that is going away still answers what it has: those who wait for that hold it.
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
            $connection = $this->connect($deadline, $method, $limit, $waits);
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

    private function connect(int $deadline, string $method, ?int $limit, bool $waits): Connection
    {
        $start = hrtime(true);
        $limit = (int) min($limit ?? $start + $this->settings->connectTimeout * 1e9, $deadline);
        if ($limit <= $start) {
            throw self::expired($method, null);
        }
        $status = new StatusFile((string) $this->address);
        while (true) {
            $available = $status->available();
            $connection = $failed = null;
            if ($available !== false) {
                try {
                    $session = new Session($this->settings->maxPayload, Memory::canHold(...));
                    $connection = $this->runtime->connect($this->address, $session, $this->settings->tls, ($limit - hrtime(true)) / 1e9);
                    $this->greet($connection, $limit);

                    return $connection;
                } catch (ConnectFailed $failed) {
                    // A supervisor would know by now what is wrong, or will do something about it. Rights and certificates it can't mend.
                    $available = $status->available();
                    $waits = $waits && ! ($available === true && self::remedy($failed->getMessage()) !== '');
                }
            }
            $now = hrtime(true);
            if ($available === null || ! $waits || $now + self::PAUSE * 1e9 >= $limit) {
                if ($connection === null) {
                    $failed = $this->explain($failed?->getMessage() ?? "Cannot connect to {$this->address}.", $status->read());
                }

                throw $limit === $deadline && $now >= $deadline - self::PAUSE * 1e9 ? self::expired($method, $failed) : $failed;
            }
            $this->runtime->pause(self::PAUSE);
        }
    }

    /**
     * Says with a failure how the worker is as far as its supervisor knows, and what is to be done about that.
     */
    private function explain(string $what, ?WorkerStatus $status): ConnectFailed
    {
        $hints = $this->settings->hints;
        $remedy = self::remedy($what);
        if ($remedy !== '') {
            return new ConnectFailed("{$what} {$remedy}");
        }

        return new ConnectFailed($what . ' ' . match ($status?->availability) {
            Availability::Starting => 'The worker is still starting' . ($status->message === '' ? '' : ": {$status->message}")
                . ". Calls wait for it until {$this->settings->connectTimeout} s are over ({$hints->wait}), or their own timeout."
                . ' Raise the two if the application takes longer to load; if it should not, read the worker\'s log.',
            Availability::Ready, Availability::Failed => "The worker's supervisor (process {$status->supervisor}) says that it is {$status->availability->value}:"
                . ' read the log of both.',
            null => 'No worker runs there: start it, or correct the address. '
                . ($hints->start === '' ? "`vendor/bin/gotask serve` starts one, and so does `python -m gotask APP --address {$this->address}`." : $hints->start),
        });
    }

    /**
     * @return string what is to be done where somebody may well run there; '': that can't be seen
     */
    private static function remedy(string $what): string
    {
        return match (true) {
            str_contains($what, 'Permission denied') => 'The user of this process may not open the socket: run it as the user that the worker runs as,'
                . ' or start the worker with GOTASK_SOCKET_GROUP, the name of a group that this user is in.',
            str_contains($what, 'certificate verify failed') => "The worker's certificate is signed by no authority that is trusted here, or has expired:"
                . ' name the authority that signed it (ca of Tls, GOTASK_TLS_CA).',
            str_contains($what, 'did not match expected') => "The worker's certificate is for another name: call it by that name, or give the name"
                . ' (peerName of Tls).',
            default => '',
        };
    }

    /**
     * On a Unix socket Hello leaves together with the first call, and is answered before it. Over a network the peer is asked
     * first: who has not said that it is one of ours, and shown that it has our key if we have one, gets no call.
     */
    private function greet(Connection $connection, int $limit): void
    {
        $address = $this->address;
        $handshake = new Handshake($address->isUnix() ? null : $this->settings->key);
        $hello = $this->question(Session::HELLO, $handshake->hello(), $address->isUnix() ? PHP_INT_MAX : $limit);
        $connection->session->greet($hello);
        if ($address->isUnix()) {
            return;
        }

        try {
            $connection->flush();
            $this->awaitAnswer($connection, $hello);
            $proof = $handshake->authenticate($hello->reply);
            if ($proof !== null) {
                $authenticate = $this->question(Handshake::AUTHENTICATE, $proof, $limit);
                $connection->submit($authenticate, hrtime(true));
                $this->awaitAnswer($connection, $authenticate);
                $handshake->verify($authenticate->reply);
                $connection->session->greeting = $authenticate->reply;
            }
        } catch (ConnectFailed|NotAuthorized $failed) {
            $connection->close($failed->getMessage());

            throw $failed;
        }
    }

    private function question(string $method, string $body, int $deadline): Call
    {
        return new Call($method, Flag::JSON, $body, 0, $deadline, $this->settings->connectTimeout);
    }

    private function awaitAnswer(Connection $connection, Call $question): void
    {
        $connection->await($question);
        if ($question->outcome !== Outcome::Replied) {
            $why = $question->outcome === Outcome::Lost ? $question->reply : 'it does not answer in time';

            throw new ConnectFailed(
                "Cannot connect to {$this->address}: {$why}. It may be another kind of server, or one that is overloaded"
                . ($this->address->tls ? ', or asks for a certificate of the caller.' : '.'),
            );
        }
        if (($question->replyFlags & Flag::ERROR) !== 0) {
            $error = ErrorReply::toException($question->method, $question->reply);
            if ($error instanceof NotAuthorized) {
                throw $error;
            }
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
            "The time for {$method} was over before there was a connection. It was not sent." . ($previous === null ? '' : " {$previous->getMessage()}"),
            $method,
            previous: $previous,
        );
    }
}
