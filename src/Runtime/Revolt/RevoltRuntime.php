<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Revolt;

use Closure;
use Reasno\GoTask\Address;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Latch;
use Reasno\GoTask\Runtime\Probe;
use Reasno\GoTask\Runtime\Runtime;
use Reasno\GoTask\Runtime\Stream\StreamConnector;
use Reasno\GoTask\Runtime\Stream\StreamProbe;
use Reasno\GoTask\Runtime\Stream\StreamTransport;
use Reasno\GoTask\Tls;
use Revolt\EventLoop;
use Revolt\EventLoop\Driver;
use Revolt\EventLoop\Suspension;

use function hrtime;
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

    public function connect(Address $address, Session $session, Tls $tls, float $timeout): Connection
    {
        $stream = StreamConnector::connect($address, $tls, $timeout, wait: false);
        if (! $address->isUnix()) {
            $until = hrtime(true) + (int) ($timeout * 1e9);
            $this->wait($stream, $timeout, $this->driver->onWritable(...));
            if (stream_socket_get_name($stream, true) === false) {
                throw StreamConnector::failed($address, 'it was refused, or took more than ' . $timeout . ' s');
            }
            if ($address->tls) {
                StreamConnector::encrypt($stream, $address, function (mixed $stream) use ($until): bool {
                    return $this->wait($stream, ($until - hrtime(true)) / 1e9, $this->driver->onReadable(...));
                });
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

    public function probe(Address $address, Tls $tls, float $timeout): Probe
    {
        return new StreamProbe($address, $tls, $timeout);
    }

    public function resolve(string $name): array
    {
        return StreamConnector::resolve($name);
    }

    public function pause(float $seconds): void
    {
        $suspension = EventLoop::getSuspension();
        $this->driver->delay($seconds, static fn () => $suspension->resume());
        $suspension->suspend();
    }

    /**
     * @param resource $stream
     * @param Closure(resource, Closure(string, resource): void): string $when onReadable() or onWritable() of the loop
     * @return bool whether it came to that in time
     */
    private function wait(mixed $stream, float $timeout, Closure $when): bool
    {
        if ($timeout <= 0) {
            return false;
        }
        /** @var Suspension<bool> $suspension */
        $suspension = EventLoop::getSuspension();
        $watcher = $when($stream, static function (string $id, mixed $stream) use ($suspension): void {
            EventLoop::cancel($id);
            $suspension->resume(true);
        });
        $timer = $this->driver->delay($timeout, static function () use ($suspension, $watcher): void {
            EventLoop::cancel($watcher);
            $suspension->resume(false);
        });

        try {
            return $suspension->suspend();
        } finally {
            $this->driver->cancel($timer);
            $this->driver->cancel($watcher);
        }
    }
}
