<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use Generator;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Client;

use function hrtime;
use function strlen;

/**
 * GoTask's own client: to a broker, or to a bare echo, which to it is a peer that answers each call with its own payload.
 */
final class GoTaskDriver implements ConcurrentDriver
{
    /** From here on payloads go as binary data, as a user would send them. */
    private const BINARY = 1024;

    private readonly Client $client;

    /** @var list<int> */
    private array $times = [];

    /**
     * @param int $maxPayload bytes
     */
    public function __construct(string $address, private readonly string $method, int $maxPayload)
    {
        $this->client = new Client($address, timeout: 120.0, maxConnections: 1, maxPayload: $maxPayload);
    }

    public function call(string $payload): void
    {
        $this->client->call($this->method, strlen($payload) < self::BINARY ? $payload : new Bytes($payload));
    }

    public function many(string $payload, int $concurrency, int $until): array
    {
        $this->times = [];
        $this->client->parallel($this->calls($payload, $concurrency, $until), $concurrency);

        return $this->times;
    }

    /**
     * A place becomes free by an answer, and answers come in about the order of the calls: so a call took from when it was asked
     * for until the one that follows it in its place is.
     *
     * @return Generator<int, array{string, Bytes|string}>
     */
    private function calls(string $payload, int $concurrency, int $until): Generator
    {
        $call = [$this->method, strlen($payload) < self::BINARY ? $payload : new Bytes($payload)];
        $sent = array_fill(0, $concurrency, 0);
        for ($number = 0; ($now = (int) hrtime(true)) < $until; $number++) {
            if ($number >= $concurrency) {
                $this->times[] = $now - $sent[$number % $concurrency];
            }
            $sent[$number % $concurrency] = $now;
            yield $number => $call;
        }
    }
}
