<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

use Closure;
use LogicException;
use Reasno\GoTask\Address;
use Reasno\GoTask\Connection\Connection;
use Reasno\GoTask\Connection\Latch;
use Reasno\GoTask\Connection\Probe;
use Reasno\GoTask\Connection\Session;
use Reasno\GoTask\Connection\SocketTransport;
use Reasno\GoTask\Connection\StreamConnector;
use Reasno\GoTask\Connection\StreamProbe;
use Reasno\GoTask\Connection\StreamTransport;

use function extension_loaded;
use function socket_import_stream;
use function usleep;

/**
 * Plain PHP: CLI, FPM, the built-in server. Waiting stops the whole process.
 *
 * @internal
 */
final class BlockingRuntime implements Runtime
{
    private readonly bool $sockets;

    /**
     * @param null|bool $sockets whether to use ext-sockets; null: where it is loaded
     */
    public function __construct(?bool $sockets = null)
    {
        $this->sockets = $sockets ?? extension_loaded('sockets');
    }

    public function connect(Address $address, Session $session, float $timeout): Connection
    {
        $stream = StreamConnector::connect($address, $timeout);
        $socket = $this->sockets ? socket_import_stream($stream) : false;
        $transport = $socket === false ? new StreamTransport($stream) : new SocketTransport($socket);

        return new BlockingConnection($session, $address, $transport);
    }

    public function latch(): Latch
    {
        throw new LogicException('Nothing else can run while this runtime opens a connection.');
    }

    public function spawn(Closure $body): void
    {
        throw new LogicException('Nothing can run beside the caller in this runtime.');
    }

    public function probe(Address $address, float $timeout): Probe
    {
        return new StreamProbe($address, $timeout);
    }

    public function pause(float $seconds): void
    {
        usleep((int) ($seconds * 1e6));
    }
}
