<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

use Closure;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Tls;

/**
 * A way to wait. Callers of its connections wait in its manner.
 *
 * @internal
 */
interface Runtime
{
    /**
     * @param Tls $tls for an address that wants it
     * @param float $timeout seconds, more than 0
     * @throws ConnectFailed
     */
    public function connect(Address $address, Session $session, Tls $tls, float $timeout): Connection;

    /**
     * @return null|Latch null where nobody can wait for what another one does
     */
    public function latch(): ?Latch;

    /**
     * Runs something beside its caller.
     *
     * @param Closure(): void $body
     */
    public function spawn(Closure $body): void;

    /**
     * Begins to find out whether a broker answers at an address. Nobody waits for it, now or later.
     *
     * @param float $timeout seconds until it must have answered
     */
    public function probe(Address $address, Tls $tls, float $timeout): Probe;

    /**
     * Looks a name up.
     *
     * @return list<string> the IP addresses of its records: those of IPv4, or of IPv6 where there are none; empty: it has none, or that can't be known now
     */
    public function resolve(string $name): array;

    /**
     * Waits in the runtime's manner.
     *
     * @param float $seconds at least 0.001
     */
    public function pause(float $seconds): void;
}
