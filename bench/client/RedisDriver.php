<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use RuntimeException;

use function fgets;
use function fread;
use function fwrite;
use function hrtime;
use function stream_socket_client;
use function strlen;
use function substr;

/**
 * A list of Redis as the queue of calls, another one for the answers: RPUSH here, BLPOP there, and the same back.
 *
 * Redis blocks a connection that waits for a list, so answers have one of their own.
 */
final class RedisDriver implements ConcurrentDriver
{
    /** @var resource */
    private $calls;

    /** @var resource */
    private $answers;

    private readonly string $list;

    public function __construct(string $address)
    {
        $this->calls = self::connect($address);
        $this->answers = self::connect($address);
        $this->list = 'answers' . getmypid();
    }

    public function call(string $payload): void
    {
        $this->send($payload, 1);
        $this->receive();
    }

    public function many(string $payload, int $concurrency, int $until): array
    {
        $sent = $times = [];
        $start = hrtime(true);
        $this->send($payload, $concurrency);
        for ($number = 0; $number < $concurrency; $number++) {
            $sent[$number] = $start;
        }
        for ($answer = 0; $answer < $number; $answer++) {
            $this->receive();
            $now = hrtime(true);
            $times[] = $now - $sent[$answer % $concurrency];
            if ($now < $until) {
                $sent[$number++ % $concurrency] = $now;
                $this->send($payload, 1);
            }
        }

        return $times;
    }

    private function send(string $payload, int $times): void
    {
        // An answer goes to the list that its call names.
        $value = "{$this->list}\n{$payload}";
        self::write($this->calls, str_repeat("*3\r\n\$5\r\nRPUSH\r\n\$5\r\ncalls\r\n\$" . strlen($value) . "\r\n{$value}\r\n", $times));
        self::write($this->answers, str_repeat("*3\r\n\$5\r\nBLPOP\r\n\$" . strlen($this->list) . "\r\n{$this->list}\r\n\$2\r\n30\r\n", $times));
    }

    private function receive(): void
    {
        // The length of the list of calls, then the name of the list of answers and an answer.
        fgets($this->calls);
        if (fgets($this->answers) !== "*2\r\n") {
            throw new RuntimeException('no answer');
        }
        self::bulk($this->answers);
        self::bulk($this->answers);
    }

    /**
     * @param resource $stream
     */
    private static function bulk($stream): void
    {
        for ($left = (int) substr((string) fgets($stream), 1) + 2; $left > 0;) {
            $data = (string) fread($stream, $left);
            if ($data === '') {
                throw new RuntimeException('Redis closed the connection');
            }
            $left -= strlen($data);
        }
    }

    /**
     * @param resource $stream
     */
    private static function write($stream, string $data): void
    {
        for ($sent = 0; $sent < strlen($data);) {
            $sent += (int) fwrite($stream, $sent === 0 ? $data : substr($data, $sent));
        }
    }

    /**
     * @return resource
     */
    private static function connect(string $address)
    {
        return stream_socket_client($address) ?: throw new RuntimeException("{$address}: no connection");
    }
}
