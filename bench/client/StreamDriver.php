<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use Reasno\GoTask\Client;
use UnexpectedValueException;

/**
 * Streams of small rows, one after the other, each read to its end.
 */
final class StreamDriver implements Driver
{
    private readonly Client $client;

    public function __construct(string $address, private readonly int $rows)
    {
        $this->client = new Client($address, maxConnections: 1);
    }

    public function call(string $payload): void
    {
        $read = 0;
        foreach ($this->client->stream('rows', $this->rows) as $_) {
            $read++;
        }
        if ($read !== $this->rows) {
            throw new UnexpectedValueException("{$read} rows of {$this->rows} came.");
        }
    }
}
