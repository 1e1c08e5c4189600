<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Connection;

use Reasno\GoTask\Connection\StreamTransport;
use Reasno\GoTask\Connection\Transport;

/**
 * @internal
 */
final class StreamTransportTest extends TransportContract
{
    protected function transport(mixed $stream): Transport
    {
        return new StreamTransport($stream);
    }
}
