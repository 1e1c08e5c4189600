<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

use Closure;
use Reasno\GoTask\Address;
use Reasno\GoTask\Connection\Connection;
use Reasno\GoTask\Connection\Latch;
use Reasno\GoTask\Connection\Probe;
use Reasno\GoTask\Connection\Session;
use Reasno\GoTask\Connection\StreamConnector;
use Reasno\GoTask\Connection\StreamProbe;
use Reasno\GoTask\Connection\StreamTransport;
use Revolt\EventLoop;
use Revolt\EventLoop\Driver;

use function stream_socket_get_name;

/**
 * Fibers on Revolt's event loop, as in AMPHP. Waiting suspends the fiber.
 *
 * @internal
 */
final class RevoltRuntime implements Runtime
{
    /**
     * @param Driver $driver the loop that its connections are watched by
     */
    public function __construct(public readonly Driver $driver)
    {
    }

    public function connect(Address $address, Session $session, float $timeout): Connection
    {
        $stream = StreamConnector::connect($address, $timeout, wait: false);
        if (! $address->isUnix()) {
            $this->waitForConnect($stream, $timeout);
            if (stream_socket_get_name($stream, true) === false) {
                throw StreamConnector::failed($address, 'it was refused, or took more than ' . $timeout . ' s');
            }
        }

        return new RevoltConnection($session, $address, new StreamTransport($stream), $this->driver);
    }

    public function latch(): Latch
    {
        return new RevoltLatch($this->driver);
    }

    public function spawn(Closure $body): void
    {
        $this->driver->queue($body);
    }

    public function probe(Address $address, float $timeout): Probe
    {
        return new StreamProbe($address, $timeout);
    }

    public function pause(float $seconds): void
    {
        $suspension = EventLoop::getSuspension();
        $this->driver->delay($seconds, static fn () => $suspension->resume());
        $suspension->suspend();
    }

    /**
     * @param resource $stream
     */
    private function waitForConnect(mixed $stream, float $timeout): void
    {
        $suspension = EventLoop::getSuspension();
        $writable = $this->driver->onWritable($stream, static function (string $id, mixed $stream) use ($suspension): void {
            EventLoop::cancel($id);
            $suspension->resume(true);
        });
        $timer = $this->driver->delay($timeout, static function () use ($suspension, $writable): void {
            EventLoop::cancel($writable);
            $suspension->resume(false);
        });

        try {
            $suspension->suspend();
        } finally {
            $this->driver->cancel($timer);
            $this->driver->cancel($writable);
        }
    }
}
