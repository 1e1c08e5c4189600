<?php

declare(strict_types=1);

namespace Reasno\GoTask\Pool;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Peer;
use Reasno\GoTask\Runtime\Probe;
use Reasno\GoTask\Runtime\Runtime;

use function array_map;
use function count;
use function getmypid;
use function hash;
use function hrtime;
use function implode;
use function intdiv;
use function is_string;
use function max;
use function min;

/**
 * The connections of one client in one runtime to several addresses that serve the same: a pool for each.
 *
 * While some addresses are fine no call waits for one that is not. When none is, each is tried once more, the one that was to be
 * asked first before the others, within the time that connecting may take altogether.
 *
 * @internal
 */
final class Cluster implements Connections
{
    /** ns that a call gives an address to connect while another one is fine: more than any healthy one takes. */
    private const PATIENCE = 1_000_000_000;

    /** Seconds that an address which was set aside has to answer, at most. A probe may hold up the end of a process with coroutines for as long. */
    private const PROBE = 3.0;

    /** ns that an address gets at the least. */
    private const LEAST = 10_000_000;

    /** @var non-empty-list<Pool> */
    private array $pools;

    private Balancer $balancer;

    /** @var array<int, Probe> those under way, by the place of their address */
    private array $probes = [];

    /** @var array<int, ConnectFailed|NotAuthorized|string|WorkerStartFailed> why each address failed when it last did */
    private array $reasons = [];

    private int $pid;

    /**
     * @param non-empty-list<Address> $addresses
     */
    public function __construct(private readonly Runtime $runtime, private readonly Settings $settings, private readonly array $addresses)
    {
        $this->pools = array_map(static fn (Address $address): Pool => new Pool($runtime, $settings, $address), $addresses);
        $this->balancer = new Balancer(count($addresses));
        $this->pid = (int) getmypid();
    }

    public function acquire(int $deadline, int $now, string $method, int $key = 0): Connection
    {
        if ($this->balancer->hasAside()) {
            $this->probe($now);
        }
        $limit = $now + (int) ($this->settings->connectTimeout * 1e9);
        $loads = array_map(static fn (Pool $pool): int => $pool->load(), $this->pools);
        while (($place = $this->choose($loads, $key) ?? $this->balancer->soonest($loads)) !== null) {
            unset($loads[$place]);
            $hasOther = false;
            foreach ($loads as $other => $load) {
                $hasOther = $hasOther || ! $this->balancer->isAside($other);
            }
            $patience = $hasOther ? min(self::PATIENCE, $limit - $now) : intdiv($limit - $now, count($loads) + 1);

            $pool = $this->pools[$place];
            $opened = $pool->opened;

            try {
                $connection = $pool->acquire($deadline, $now, $method, $key, $now + max(self::LEAST, $patience), ! $hasOther);
                $isNew = $pool->opened > $opened;
                if (! $isNew && $connection->isIdle() && ! $connection->probe()) {
                    // Better found now than after a call has been sent.
                    $connection->reported = true;
                    $this->failed($connection, 'the peer closed it');
                    $loads[$place] = 0;
                    continue;
                }
                // Whether anybody answers is not known of an older connection, nor of a new one on a Unix socket.
                if ($isNew && $connection->session->peer !== Peer::Unknown) {
                    $this->balancer->restore($place, $now);
                }

                return $connection;
            } catch (ConnectFailed|NotAuthorized|WorkerStartFailed $failed) {
                // Callers that waited for one attempt get one exception: it counts as one failure.
                if (($this->reasons[$place] ?? null) !== $failed) {
                    $this->setAside($place, $failed);
                }
            }
            $now = (int) hrtime(true);
        }

        throw $this->unreachable();
    }

    /**
     * With a key by rendezvous hashing: an address that is set aside, or comes back, moves its own keys alone.
     *
     * @param array<int, int> $loads by place
     */
    private function choose(array $loads, int $key): ?int
    {
        if ($key === 0) {
            return $this->balancer->choose($loads);
        }
        $best = null;
        $greatest = '';
        foreach ($loads as $place => $load) {
            $weight = hash('xxh64', "{$key} {$this->addresses[$place]}");
            if (! $this->balancer->isAside($place) && $weight > $greatest) {
                [$best, $greatest] = [$place, $weight];
            }
        }

        return $best;
    }

    public function failed(Connection $connection, string $why): void
    {
        $place = $this->place($connection);
        if ($place !== null && ! $this->balancer->isAside($place)) {
            $this->setAside($place, "The connection to {$connection->address} was lost: {$why}.");
        }
    }

    public function suspect(Connection $connection): void
    {
        $place = $this->place($connection);
        if ($place !== null && ! $this->balancer->isAside($place)) {
            $this->reasons[$place] = "{$connection->address} does not answer.";
            $this->balancer->suspect($place, (int) hrtime(true));
        }
    }

    public function runtime(): Runtime
    {
        return $this->runtime;
    }

    public function close(): void
    {
        $this->probes = [];
        foreach ($this->pools as $pool) {
            $pool->close();
        }
    }

    /**
     * Takes back the addresses that answer, and asks those whose pause is over. Nothing here waits.
     */
    private function probe(int $now): void
    {
        if ($this->pid !== getmypid()) {
            $this->pid = (int) getmypid();
            $this->probes = [];
        }
        foreach ($this->balancer->due($now) as $place) {
            $this->probes[$place] ??= $this->runtime->probe($this->addresses[$place], $this->settings->tls, min(self::PROBE, $this->settings->connectTimeout));
        }
        foreach ($this->probes as $place => $probe) {
            $answered = $probe->isAnswered();
            if ($answered === null) {
                continue;
            }
            unset($this->probes[$place]);
            if ($answered) {
                $this->balancer->restore($place, $now);
                $this->settings->logger->notice('{address} answers again.', ['address' => (string) $this->addresses[$place]]);
            } elseif ($this->balancer->isAside($place)) {
                $this->balancer->fail($place, $now);
            }
        }
    }

    private function setAside(int $place, ConnectFailed|NotAuthorized|string|WorkerStartFailed $reason): void
    {
        $isNew = ! $this->balancer->isAside($place);
        $this->reasons[$place] = $reason;
        $this->balancer->fail($place, (int) hrtime(true));
        if ($isNew) {
            $this->settings->logger->warning('{address} is set aside: {reason}', [
                'address' => (string) $this->addresses[$place],
                'reason' => self::text($reason),
            ]);
        }
    }

    private function place(Connection $connection): ?int
    {
        foreach ($this->addresses as $place => $address) {
            if ((string) $address === (string) $connection->address) {
                return $place;
            }
        }

        return null;
    }

    private function unreachable(): ConnectFailed|NotAuthorized
    {
        $last = null;
        foreach ($this->reasons as $reason) {
            $last = is_string($reason) ? $last : $reason;
        }
        if ($last instanceof NotAuthorized) {
            // Waiting or trying again helps with every other reason, but not with this one.
            return $last;
        }

        return new ConnectFailed(
            'Cannot connect to any of ' . implode(', ', $this->addresses) . '. ' . implode(' ', array_map(self::text(...), $this->reasons)),
            $last,
        );
    }

    private static function text(ConnectFailed|NotAuthorized|string|WorkerStartFailed $reason): string
    {
        return is_string($reason) ? $reason : $reason->getMessage();
    }
}
