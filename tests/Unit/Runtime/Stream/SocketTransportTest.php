<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Runtime\Stream;

use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use Reasno\GoTask\Runtime\Stream\SocketTransport;
use Reasno\GoTask\Runtime\Stream\Transport;

use function socket_import_stream;

/**
 * @internal
 */
#[RequiresPhpExtension('sockets')]
final class SocketTransportTest extends TransportContract
{
    protected function transport(mixed $stream): Transport
    {
        $socket = socket_import_stream($stream);
        self::assertNotFalse($socket);

        return new SocketTransport($socket);
    }
}
