<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use Reasno\GoTask\Client;

/**
 * Calls that take a worker some time, one after the other. The method is told a number.
 */
final class WorkDriver implements Driver
{
    private readonly Client $client;

    /**
     * @param int $number the argument of the first call
     * @param int $step by which it grows from call to call
     */
    public function __construct(string $address, private readonly string $method, private int $number, private readonly int $step)
    {
        $this->client = new Client($address, timeout: 60.0, maxConnections: 1);
    }

    public function call(string $payload): void
    {
        $this->client->call($this->method, $this->number);
        $this->number += $this->step;
    }
}
