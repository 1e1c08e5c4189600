<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Bench;

use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\ChildProcess;
use Reasno\GoTask\Process\UnixSocket;

use function dirname;

/**
 * A bare socket echo server in Python. To a client of ours it is a peer that answers each call with its own payload.
 *
 * @internal
 */
final class EchoServer
{
    private const START_TIMEOUT = 10.0;

    public readonly string $address;

    private readonly ChildProcess $process;

    public function __construct(string $python)
    {
        $this->address = UnixSocket::fresh();
        $path = (string) UnixSocket::path($this->address);
        mkdir(dirname($path), 0o700);
        $this->process = ChildProcess::start([$python, dirname(__DIR__, 3) . '/bench/servers/echo.py', $path]);
        $until = microtime(true) + self::START_TIMEOUT;
        for ($stdout = $stderr = ''; ! str_contains($stdout, 'ready');) {
            [$out, $err] = $this->process->read(0.1);
            [$stdout, $stderr] = [$stdout . $out, $stderr . $err];
            if (! $this->process->isRunning() || microtime(true) > $until) {
                throw new WorkerStartFailed("the echo server did not start: {$stderr}", $stderr);
            }
        }
    }

    public function __destruct()
    {
        $this->process->kill();
        UnixSocket::removeDirectory($this->address);
    }
}
