<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use RuntimeException;

use function fread;
use function fwrite;
use function is_string;
use function preg_match;
use function stream_set_blocking;
use function stream_socket_client;
use function strlen;
use function strpos;
use function substr;

/**
 * HTTP/1.1 over connections that are kept, one for each call under way. Written by hand: the least that a client can do.
 */
final class HttpDriver implements ConcurrentDriver
{
    /** @var array<int, resource> */
    private array $streams = [];

    /** @var array<int, string> what has arrived of each answer */
    private array $arrived = [];

    /**
     * @param string $address `tcp://host:port`
     */
    public function __construct(private readonly string $address)
    {
    }

    public function call(string $payload): void
    {
        $this->send(0, self::request($payload));
        while (! $this->receive(0)) {
            continue;
        }
    }

    public function many(string $payload, int $concurrency, int $until): array
    {
        $request = self::request($payload);

        return Window::run($concurrency, $until, fn (int $place) => $this->send($place, $request), $this->receive(...));
    }

    private static function request(string $payload): string
    {
        return "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " . strlen($payload) . "\r\n\r\n" . $payload;
    }

    /**
     * @return resource
     */
    private function send(int $place, string $request)
    {
        $stream = $this->streams[$place] ??= $this->connect();
        $this->arrived[$place] = '';
        // A large body is sent before its answer begins: these servers read all of it first.
        for ($sent = 0; $sent < strlen($request);) {
            $written = fwrite($stream, $sent === 0 ? $request : substr($request, $sent));
            if ($written === false || $written === 0) {
                throw new RuntimeException('the server closed the connection');
            }
            $sent += $written;
        }

        return $stream;
    }

    private function receive(int $place): bool
    {
        $data = fread($this->streams[$place], 1_048_576);
        if (! is_string($data) || $data === '') {
            throw new RuntimeException('the server closed the connection');
        }
        $this->arrived[$place] .= $data;
        $head = strpos($this->arrived[$place], "\r\n\r\n");
        if ($head === false) {
            return false;
        }
        if (! str_contains($this->arrived[$place], ' 200 ') || preg_match('/\r\ncontent-length: *(\d+)\r\n/i', substr($this->arrived[$place], 0, $head + 4), $match) !== 1) {
            throw new RuntimeException('not the answer that was expected: ' . substr($this->arrived[$place], 0, 200));
        }

        return strlen($this->arrived[$place]) >= $head + 4 + (int) $match[1];
    }

    /**
     * @return resource
     */
    private function connect()
    {
        $context = stream_context_create(['socket' => ['tcp_nodelay' => true]]);
        $stream = stream_socket_client($this->address, $code, $message, 10.0, STREAM_CLIENT_CONNECT, $context);
        if ($stream === false) {
            throw new RuntimeException("{$this->address}: {$message}");
        }
        stream_set_blocking($stream, true);
        stream_set_read_buffer($stream, 0);

        return $stream;
    }
}
