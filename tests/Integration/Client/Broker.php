<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Reasno\GoTask\Address;
use Reasno\GoTask\Client;
use Reasno\GoTask\Tests\Port;
use Reasno\GoTask\Tests\Python;
use RuntimeException;

use function bin2hex;
use function dirname;
use function fclose;
use function file_exists;
use function getenv;
use function hrtime;
use function is_resource;
use function posix_kill;
use function proc_close;
use function proc_get_status;
use function proc_open;
use function random_bytes;
use function stream_socket_client;
use function sys_get_temp_dir;
use function usleep;

use const SIGCONT;
use const SIGKILL;
use const SIGTERM;

/**
 * A broker with Fixtures/app.py that is started, stopped and ended at the same address as often as a test wants, in any runtime.
 */
final class Broker
{
    public readonly string $address;

    /** @var null|resource */
    private mixed $process = null;

    private bool $isSpoilt = false;

    /**
     * It is being started, see ready().
     */
    public function __construct(bool $tcp = false)
    {
        $this->address = $tcp ? 'tcp://127.0.0.1:' . Port::free() : 'unix://' . sys_get_temp_dir() . '/gotask-broker-' . bin2hex(random_bytes(6)) . '.sock';
        $this->spawn();
    }

    public function __destruct()
    {
        $this->end(SIGKILL);
    }

    public function start(): void
    {
        $this->spawn();
        $this->ready();
    }

    /**
     * Ends one that was ended or got a signal, and begins to start it anew.
     */
    public function renew(): void
    {
        if ($this->isSpoilt) {
            $this->end(SIGKILL);
            $this->spawn();
        }
    }

    public function ready(): void
    {
        $limit = hrtime(true) + 30e9;
        while (($stream = @stream_socket_client($this->address)) === false) {
            if (hrtime(true) > $limit) {
                throw new RuntimeException("No broker at {$this->address}.");
            }
            usleep(1000);
        }
        fclose($stream);
        (new Client($this->address))->call('GoTask.Ping');
    }

    public function pid(): int
    {
        return $this->process === null ? 0 : proc_get_status($this->process)['pid'];
    }

    public function signal(int $signal): void
    {
        $this->isSpoilt = true;
        posix_kill($this->pid(), $signal);
    }

    /**
     * Sends the signal and waits for the end.
     */
    public function end(int $signal = SIGTERM): void
    {
        if ($this->process === null) {
            return;
        }
        $process = $this->process;
        $this->signal($signal);
        $this->signal(SIGCONT);
        while (proc_get_status($process)['running']) {
            usleep(1000);
        }
        proc_close($process);
        $this->process = null;
        $address = Address::parse($this->address);
        if ($address->isUnix() && file_exists($address->host)) {
            @unlink($address->host);
        }
        if ($address->isUnix()) {
            foreach (['.lock', '.fast', '.fast.lock'] as $suffix) {
                @unlink("{$address->host}{$suffix}");
            }
        }
    }

    private function spawn(): void
    {
        $root = dirname(__DIR__, 3);
        $pipes = [];
        $process = proc_open(
            [Python::path(), '-m', 'gotask', dirname(__DIR__) . '/Fixtures/app.py', '--address', $this->address, '--workers', '1', '--log-level', 'error'],
            [['null'], ['null'], ['null']],
            $pipes,
            null,
            ['PYTHONPATH' => "{$root}/python"] + getenv(),
        );
        if (! is_resource($process)) {
            throw new RuntimeException('Python can\'t be run.');
        }
        $this->process = $process;
        $this->isSpoilt = false;
    }
}
