<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use Reasno\GoTask\Client;
use Reasno\GoTask\NdArray;

use function strlen;
use function substr;

/**
 * Calls with an array of float64, whose bytes are the payload, one after the other.
 */
final class ArrayDriver implements Driver
{
    private readonly Client $client;

    /**
     * @param int $maxPayload bytes
     */
    public function __construct(string $address, private readonly string $method, int $maxPayload)
    {
        $this->client = new Client($address, timeout: 60.0, maxConnections: 1, maxPayload: $maxPayload);
    }

    public function call(string $payload): void
    {
        $this->client->call($this->method, NdArray::fromBytes(substr($payload, strlen($payload) % 8), 'float64'));
    }
}
