<?php

declare(strict_types=1);

namespace Reasno\GoTask\Pool;

use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Runtime\Runtime;

/**
 * Where the calls made in one runtime get their connections from: a Pool where there is one address, a Cluster where there are several.
 *
 * @internal
 */
interface Connections
{
    /**
     * The connection that the next call is to take.
     *
     * @param int $deadline of the call that is to be sent, hrtime() in ns
     * @param int $now hrtime() in ns
     * @param int $key of the call; 0: none. Where there are several addresses, one key goes to one of them while that answers
     * @throws ConnectFailed
     * @throws WorkerStartFailed when its supervisor says so
     * @throws DeadlineExceeded when the call's time is over before there is a connection
     */
    public function acquire(int $deadline, int $now, string $method, int $key = 0): Connection;

    /**
     * Is told that a connection was lost, or that its peer takes no more calls.
     */
    public function failed(Connection $connection, string $why): void;

    /**
     * Is told that a call was not answered in time: the peer's fault, or the method's.
     */
    public function suspect(Connection $connection): void;

    /**
     * How many addresses a call may go to, as far as is known.
     */
    public function addresses(): int;

    public function runtime(): Runtime;

    public function close(): void;
}
