<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Tests\Python;
use RuntimeException;

use function bin2hex;
use function dirname;
use function explode;
use function fclose;
use function fgets;
use function file_exists;
use function fread;
use function fwrite;
use function is_resource;
use function proc_close;
use function proc_open;
use function proc_terminate;
use function random_bytes;
use function str_starts_with;
use function stream_socket_client;
use function strlen;
use function sys_get_temp_dir;
use function trim;
use function unlink;

use const SIGKILL;

/**
 * Fixtures/peer.py, running.
 */
final class Peer
{
    public readonly string $address;

    /** @var null|resource */
    private mixed $process;

    /** @var array<int, resource> */
    private array $pipes;

    public function __construct(string $mode = '', ?string $address = null)
    {
        $address ??= 'unix://' . sys_get_temp_dir() . '/gotask-peer-' . bin2hex(random_bytes(6)) . '.sock';
        $pipes = [];
        $process = proc_open(
            [Python::path(), dirname(__DIR__) . '/Fixtures/peer.py', $address, $mode],
            [['pipe', 'r'], ['pipe', 'w']],
            $pipes,
        );
        if (! is_resource($process)) {
            throw new RuntimeException('Python can\'t be run.');
        }
        /** @var array<int, resource> $pipes */
        $this->process = $process;
        $this->pipes = $pipes;
        $line = fgets($pipes[1]);
        if ($line === false || ! str_starts_with($line, 'ready ')) {
            throw new RuntimeException('The peer did not start.');
        }
        $this->address = trim(explode(' ', $line, 2)[1]);
    }

    public function __destruct()
    {
        $this->stop();
    }

    /**
     * Waits, without any client, until no call of an action is without its answer.
     */
    public function awaitAnswered(string $action): void
    {
        $method = "Answered:{$action}";
        $stream = stream_socket_client($this->address);
        if ($stream === false || fwrite($stream, Frame::encode(Flag::JSON, [1, strlen($method)], $method)) === false || fread($stream, 1) === false) {
            throw new RuntimeException('The peer can\'t be asked.');
        }
        fclose($stream);
    }

    /**
     * As if by kill -9.
     */
    public function kill(): void
    {
        $this->end(SIGKILL);
    }

    public function stop(): void
    {
        $this->end(null);
    }

    private function end(?int $signal): void
    {
        if ($this->process === null) {
            return;
        }
        if ($signal !== null) {
            proc_terminate($this->process, $signal);
        }
        foreach ($this->pipes as $pipe) {
            fclose($pipe);
        }
        proc_close($this->process);
        $this->process = null;
        if (str_starts_with($this->address, 'unix://')) {
            $path = explode('://', $this->address, 2)[1];
            foreach ([$path, "{$path}.fast"] as $file) {
                if (file_exists($file)) {
                    unlink($file);
                }
            }
        }
    }
}
