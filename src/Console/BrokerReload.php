<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\Unavailable;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Process\Status\UnixSocket;

use function function_exists;
use function sprintf;

/**
 * A reload of a broker on this machine that no supervisor of ours looks after.
 *
 * @internal
 */
final class BrokerReload
{
    private const SIGHUP = 1;

    /** Microseconds between two questions. */
    private const LOOK = 20_000;

    public function __construct(private readonly GoTask $task, private readonly string $address)
    {
    }

    /**
     * Asks for the reload, and waits until code runs that was loaded after that.
     *
     * @param float $timeout seconds
     * @return int the number of its generation
     * @throws GoTaskException WorkerStartFailed when it can't be started, and the old code goes on
     */
    public function run(float $timeout): int
    {
        $until = microtime(true) + $timeout;
        $before = $this->status($timeout);
        $reload = $before->map('reload');
        $newest = max($before->number('generation'), $reload->number('generation'));
        $this->signal();
        while (($left = $until - microtime(true)) > 0) {
            $status = $this->status($left);
            $reload = $status->map('reload');
            if ($status->number('generation') > $newest) {
                return (int) $status->number('generation');
            }
            if ($reload->text('state') === 'failed' && $reload->number('generation') > $newest) {
                throw new WorkerStartFailed("the app could not be loaded again, and its old code goes on: {$reload->text('message')}");
            }
            if ($status->text('state') !== 'ready') {
                throw new Unavailable('the broker is ending, and loads nothing again');
            }
            usleep(self::LOOK);
        }

        throw new DeadlineExceeded(sprintf('the app was not loaded again within %g s; that may still come', $timeout));
    }

    private function status(float $timeout): TypedMap
    {
        return TypedMap::of($this->task->call('GoTask.Status', null, $timeout));
    }

    /**
     * Takes the process that listens at the address from the kernel: what the worker says could name any process of this machine.
     *
     * @throws ConnectFailed when it can't be known, or is not ours to signal
     */
    private function signal(): void
    {
        if (UnixSocket::path($this->address) === null) {
            throw new ConnectFailed("a broker at {$this->address} that `gotask serve` does not look after can't be found from here: send SIGHUP to it where it runs");
        }
        $pid = UnixSocket::listener((string) Address::parse($this->address));
        if ($pid === null) {
            throw new ConnectFailed("which process listens at {$this->address} can't be known from here, for which it takes Linux and PHP's extension sockets: send SIGHUP to it");
        }
        if (! function_exists('posix_kill') || ! posix_kill($pid, self::SIGHUP)) {
            throw new ConnectFailed("the broker's process, {$pid}, can't be sent SIGHUP: that takes its user's rights, and the extension posix");
        }
    }
}
