<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use Reasno\GoTask\Client;

/**
 * Calls that take a worker some time, by one caller after the other. The method is told a number: always the same, or which call it is.
 */
final class WorkDriver implements Driver
{
    private readonly Client $client;

    private int $number = 0;

    public function __construct(string $address, private readonly string $method, private readonly ?int $always)
    {
        $this->client = new Client($address, timeout: 60.0, maxConnections: 1);
    }

    public function call(string $payload): void
    {
        $this->client->call($this->method, $this->always ?? $this->number++);
    }
}
