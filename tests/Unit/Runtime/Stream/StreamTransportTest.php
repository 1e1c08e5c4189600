<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Runtime\Stream;

use Reasno\GoTask\Runtime\Stream\StreamTransport;
use Reasno\GoTask\Runtime\Stream\Transport;

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
