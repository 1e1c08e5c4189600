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
use function posix_getpid;
use function proc_open;
use function random_bytes;
use function str_starts_with;
use function stream_socket_client;
use function strlen;
use function sys_get_temp_dir;
use function trim;
use function unlink;

use const SIGKILL;
use const SIGTERM;

/**
 * One of those of Fixtures/peer.py, running.
 */
final class Peer
{
    public readonly string $address;

    /** @var null|resource */
    private static mixed $python = null;

    /** @var array<int, resource> */
    private static array $pipes = [];

    private int $process;

    /** A forked child leaves it to its parent. */
    private int $owner;

    public function __construct(string $mode = '', ?string $address = null)
    {
        $address ??= 'unix://' . sys_get_temp_dir() . '/gotask-peer-' . bin2hex(random_bytes(6)) . '.sock';
        [, $process, $this->address] = explode(' ', self::tell("start {$address} {$mode}", 'ready '));
        $this->process = (int) $process;
        $this->owner = posix_getpid();
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
        $this->end(SIGTERM);
    }

    private function end(int $signal): void
    {
        if ($this->process === 0 || $this->owner !== posix_getpid()) {
            return;
        }
        self::tell("end {$this->process} {$signal}", 'ended');
        $this->process = 0;
        if (str_starts_with($this->address, 'unix://')) {
            $path = explode('://', $this->address, 2)[1];
            foreach ([$path, "{$path}.fast"] as $file) {
                if (file_exists($file)) {
                    unlink($file);
                }
            }
        }
    }

    private static function tell(string $line, string $expected): string
    {
        self::$python ??= self::start();
        fwrite(self::$pipes[0], "{$line}\n");
        $answer = (string) fgets(self::$pipes[1]);
        if (! str_starts_with($answer, $expected)) {
            throw new RuntimeException("The peers were told to {$line}, and answer: {$answer}");
        }

        return trim($answer);
    }

    /**
     * @return resource
     */
    private static function start(): mixed
    {
        $pipes = [];
        $process = proc_open([Python::path(), dirname(__DIR__) . '/Fixtures/peer.py'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
        if (! is_resource($process)) {
            throw new RuntimeException('Python can\'t be run.');
        }
        /** @var array<int, resource> $pipes */
        self::$pipes = $pipes;

        return $process;
    }
}
