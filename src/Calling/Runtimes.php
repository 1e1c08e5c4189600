<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Fiber;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Pool\Cluster;
use Reasno\GoTask\Pool\Connections;
use Reasno\GoTask\Pool\Pool;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Runtime\Blocking\BlockingRuntime;
use Reasno\GoTask\Runtime\Revolt\RevoltRuntime;
use Reasno\GoTask\Runtime\Runtime;
use Reasno\GoTask\Runtime\Swoole\SwooleRuntime;
use Revolt\EventLoop;
use Swoole\Coroutine;

use function class_exists;
use function count;
use function hrtime;

/**
 * Chooses the runtime of each call, and holds the client's connections in each runtime.
 *
 * @internal
 */
final class Runtimes
{
    private ?Connections $blocking = null;

    private ?Connections $swoole = null;

    private ?Connections $revolt = null;

    private ?EventLoop\Driver $driver = null;

    private readonly bool $hasSwoole;

    private readonly bool $isOne;

    /** Why no connection could be opened when that was last tried. */
    private null|ConnectFailed|DeadlineExceeded|NotAuthorized|WorkerStartFailed $outage = null;

    /** Until when other calls of parallel() share that failure, hrtime() in ns. */
    private int $outageEnd = 0;

    /**
     * @param non-empty-list<Address> $addresses
     * @param null|Runtime $plain the runtime where there are neither coroutines nor fibers, for tests
     */
    public function __construct(private readonly array $addresses, private readonly Settings $settings, private readonly ?Runtime $plain = null)
    {
        $this->hasSwoole = class_exists(Coroutine::class, false);
        $this->isOne = count($addresses) === 1 && ! $addresses[0]->isName();
    }

    /**
     * The connections in the runtime of the caller.
     */
    public function here(): Connections
    {
        if ($this->hasSwoole && Coroutine::getCid() > 0) {
            return $this->swoole ??= $this->connections(new SwooleRuntime());
        }
        if (Fiber::getCurrent() !== null && class_exists(EventLoop::class, false)) {
            $driver = EventLoop::getDriver();
            if ($driver->isRunning()) {
                if ($this->revolt === null || $this->driver !== $driver) {
                    $this->driver = $driver;
                    $this->revolt = $this->connections(new RevoltRuntime($driver));
                }

                return $this->revolt;
            }
        }

        return $this->blocking ??= $this->connections($this->plain ?? new BlockingRuntime());
    }

    /**
     * A connection for a call. The calls of parallel() share a failure to connect, for as long as the attempt took: an address that
     * does not answer would else cost each of them that time, one after the other.
     *
     * @param int $now hrtime() in ns
     * @throws GoTaskException
     */
    public function acquire(Call $call, int $now): Connection
    {
        if ($this->outage !== null && $call->isOneOfMany && $now < $this->outageEnd) {
            throw $this->outage;
        }

        try {
            $connection = $call->metadata === null
                ? $this->here()->acquire($call->deadline, $now, $call->method)
                : $this->here()->acquire($call->deadline, $now, $call->method, $call->metadata->key);
        } catch (ConnectFailed|DeadlineExceeded|NotAuthorized|WorkerStartFailed $failed) {
            $reason = $failed->getPrevious();
            $this->outage = $failed instanceof DeadlineExceeded && $reason instanceof ConnectFailed ? $reason : $failed;
            $end = hrtime(true);
            $this->outageEnd = $end + $end - $now;

            throw $failed;
        }
        $this->outage = null;

        return $connection;
    }

    /**
     * Whether there is one address, and no name, which may stand for several.
     */
    public function isOne(): bool
    {
        return $this->isOne;
    }

    /**
     * The caller's runtime, if parallel() needs a coroutine or fiber for each call: where calls go to several addresses. Else null.
     */
    public function spreading(): ?Runtime
    {
        $connections = $this->isOne ? $this->blocking : $this->here();

        return $connections === $this->blocking ? null : $connections?->runtime();
    }

    public function close(): void
    {
        $this->blocking?->close();
        $this->swoole?->close();
        $this->revolt?->close();
    }

    private function connections(Runtime $runtime): Connections
    {
        return $this->isOne
            ? new Pool($runtime, $this->settings, $this->addresses[0])
            : new Cluster($runtime, $this->settings, $this->addresses);
    }
}
