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
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\ErrorReply;
use Reasno\GoTask\Protocol\Handshake;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Runtime;
use Reasno\GoTask\Runtime\Stream\StreamConnector;

use function array_map;
use function class_exists;
use function hrtime;
use function min;
use function str_contains;

use const PHP_INT_MAX;

/**
 * Opens a pool's connections: waits for a worker that is being started, says Hello, proves the key. A failure says what to do about it.
 *
 * @internal
 */
final class Opener
{
    /** Seconds between two looks whether a worker that is being started is there. */
    private const PAUSE = 0.01;

    /** Loaded ahead, to report a failure: where no descriptor is left for a connection, none is left to load a class either. */
    private const REPORTERS = [StreamConnector::class, Availability::class, ConnectFailed::class, ConnectionLost::class, DeadlineExceeded::class];

    public function __construct(private readonly Runtime $runtime, private readonly Settings $settings, private readonly Address $address)
    {
        array_map(class_exists(...), self::REPORTERS);
    }

    /**
     * @param int $deadline of the call that needs it, hrtime() in ns
     * @param null|int $limit when it must have succeeded, hrtime() in ns; null: after the connect timeout
     * @param bool $waits whether a worker that is being started is waited for
     * @throws ConnectFailed
     * @throws NotAuthorized
     * @throws WorkerStartFailed when its supervisor says so
     * @throws DeadlineExceeded when the call's time is over before
     */
    public function open(int $deadline, string $method, ?int $limit, bool $waits): Connection
    {
        $start = hrtime(true);
        $limit = (int) min($limit ?? $start + $this->settings->connectTimeout * 1e9, $deadline);
        if ($limit <= $start) {
            throw self::expired($method, null);
        }
        $status = new StatusFile($this->address->given());
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
                    // The supervisor may know by now what is wrong. It can mend neither rights nor certificates.
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

    public static function expired(string $method, ?ConnectFailed $previous): DeadlineExceeded
    {
        return new DeadlineExceeded(
            "The time for {$method} was over before there was a connection. It was not sent." . ($previous === null ? '' : " {$previous->getMessage()}"),
            $method,
            previous: $previous,
        );
    }

    /**
     * Adds to a failure what the supervisor says of the worker, and what to do about it.
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
            str_contains($what, 'no TLS: the peer closed') => 'It may take no TLS: write tcp:// if the worker listens so.',
            // Swoole says no more of any failure.
            str_contains($what, 'SSL handshake failed') => 'It may take no TLS: write tcp:// if the worker listens so. Or its certificate'
                . ' is signed by no authority that is trusted here (ca of Tls, GOTASK_TLS_CA), or for another name (peerName of Tls).',
            default => '',
        };
    }

    /**
     * On a Unix socket Hello leaves together with the first call, and is answered before it. Over a network the peer is asked
     * first: who has not said that it is one of ours, and shown that it has our key if we have one, gets no call. So it is where
     * generated classes want to know what methods the worker has.
     */
    private function greet(Connection $connection, int $limit): void
    {
        $signatures = $this->settings->signatures;
        $asksFirst = ! $this->address->isUnix() || $signatures->areExpected();
        $handshake = new Handshake($this->address->isUnix() ? null : $this->settings->key);
        $hello = $this->question(Session::HELLO, $handshake->hello($connection->mayBeFast), $asksFirst ? $limit : PHP_INT_MAX);
        $connection->session->greet($hello);
        if (! $asksFirst) {
            $signatures->opened($connection->session);

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

            throw $failed instanceof ConnectFailed ? $failed : new NotAuthorized("Cannot connect to {$this->address}: {$failed->getMessage()}", $failed->method, $failed->data);
        }
        if (! $this->address->isUnix()) {
            $connection->session->expectHeartbeat(Handshake::heartbeat($connection->session->greeting), (int) hrtime(true));
        }
        $signatures->opened($connection->session);
    }

    private function question(string $method, string $body, int $deadline): Call
    {
        return new Call($method, Flag::JSON, $body, 0, $deadline, $this->settings->connectTimeout);
    }

    private function awaitAnswer(Connection $connection, Call $question): void
    {
        $connection->await($question);
        if ($question->state !== CallState::Replied) {
            $why = $question->state === CallState::Lost ? $question->reply : 'it does not answer in time';

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
}
