<?php

declare(strict_types=1);

namespace Reasno\GoTask\Pool;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Peer;
use Reasno\GoTask\Runtime\Latch;
use Reasno\GoTask\Runtime\Probe;
use Reasno\GoTask\Runtime\Runtime;

use function array_filter;
use function array_keys;
use function array_map;
use function array_shift;
use function count;
use function getmypid;
use function hash;
use function hrtime;
use function implode;
use function intdiv;
use function is_string;
use function max;
use function min;

use const ARRAY_FILTER_USE_KEY;

/**
 * The connections of one client in one runtime to several addresses that serve the same, or to names, each of which may stand for several:
 * a pool for each address.
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

    /** @var array<int<0, max>, Pool> by place */
    private array $pools = [];

    /** @var array<int<0, max>, Address> by place, which an address keeps for as long as it is there */
    private array $addresses = [];

    private readonly Names $names;

    private Balancer $balancer;

    /** While the names are looked up for the first time, other coroutines wait here. */
    private ?Latch $looking = null;

    /** @var array<int, Probe> those under way, by the place of their address */
    private array $probes = [];

    /** @var array<int, ConnectFailed|NotAuthorized|string|WorkerStartFailed> why each address failed when it last did */
    private array $reasons = [];

    private int $pid;

    /**
     * @param non-empty-list<Address> $given
     */
    public function __construct(private readonly Runtime $runtime, private readonly Settings $settings, private readonly array $given)
    {
        $this->names = new Names($runtime, $given);
        $this->balancer = new Balancer(count($given));
        $this->pid = (int) getmypid();
        if ($this->names->due > 0) {
            $this->follow($given);
        }
    }

    public function acquire(int $deadline, int $now, string $method, int $key = 0): Connection
    {
        if ($this->balancer->hasAside()) {
            $this->probe($now);
        }
        $limit = $now + (int) ($this->settings->connectTimeout * 1e9);
        if ($now >= $this->names->due || $this->pools === []) {
            $now = $this->look($now, $limit);
        }
        $loads = array_map(static fn (Pool $pool): int => $pool->load(), $this->pools);
        $tried = [];
        while (($place = $this->choose($loads, $key) ?? $this->balancer->soonest($loads)) !== null) {
            $tried[(string) $this->addresses[$place]] = true;
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
            if ($loads === [] && $now >= $this->names->due) {
                $now = $this->look($now, $limit);
                $isNew = fn (int $place): bool => ! isset($tried[(string) $this->addresses[$place]]);
                $loads = array_map(static fn (Pool $pool): int => $pool->load(), array_filter($this->pools, $isNew, ARRAY_FILTER_USE_KEY));
            }
        }

        throw $this->unreachable();
    }

    public function addresses(): int
    {
        return count($this->pools);
    }

    /**
     * Looks the names up: beside the caller, as long as there is an address that is fine and the runtime can.
     *
     * @param int $limit until when the caller waits for another one that does so, hrtime() in ns
     * @return int $now, later by the time that it took
     */
    private function look(int $now, int $limit): int
    {
        $began = (int) hrtime(true);
        if ($this->looking !== null) {
            if ($this->pools === []) {
                $this->looking->wait(max(0.001, ($limit - $began) / 1e9));
            }

            return $now + (int) hrtime(true) - $began;
        }
        $this->looking = $this->runtime->latch();
        $look = function () use ($now): void {
            try {
                $this->follow($this->names->look($now));
            } finally {
                $this->looking?->open();
                $this->looking = null;
            }
        };
        foreach ($this->pools as $place => $_) {
            if ($this->looking !== null && ! $this->balancer->isAside($place)) {
                $this->runtime->spawn($look);

                return $now;
            }
        }
        $look();

        return $now + (int) hrtime(true) - $began;
    }

    /**
     * Has these addresses from now on. Calls at one that is gone are still answered.
     *
     * @param list<Address> $addresses
     */
    private function follow(array $addresses): void
    {
        $coming = [];
        foreach ($addresses as $address) {
            $coming[(string) $address] = $address;
        }
        foreach ($this->addresses as $place => $address) {
            if (! isset($coming[(string) $address])) {
                unset($this->addresses[$place], $this->pools[$place], $this->probes[$place], $this->reasons[$place]);
                $this->balancer->forget($place);
            }
            unset($coming[(string) $address]);
        }
        for ($place = 0; $coming !== []; $place++) {
            if (! isset($this->pools[$place])) {
                $address = array_shift($coming);
                $this->addresses[$place] = $address;
                $this->pools[$place] = new Pool($this->runtime, $this->settings, $address);
            }
        }
        $this->balancer->resize(max(0, ...array_keys($this->pools)) + 1);
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
        $now = (int) hrtime(true);
        $this->balancer->fail($place, $now);
        $this->names->hurry($now);
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
            'Cannot connect to any of ' . implode(', ', $this->given) . '. ' . implode(' ', array_map(self::text(...), $this->reasons)),
            $last,
        );
    }

    private static function text(ConnectFailed|NotAuthorized|string|WorkerStartFailed $reason): string
    {
        return is_string($reason) ? $reason : $reason->getMessage();
    }
}
