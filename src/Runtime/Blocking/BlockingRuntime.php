<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Blocking;

use Closure;
use LogicException;
use Reasno\GoTask\Address;
use Reasno\GoTask\Platform\Select;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Latch;
use Reasno\GoTask\Runtime\Probe;
use Reasno\GoTask\Runtime\Runtime;
use Reasno\GoTask\Runtime\Stream\StreamConnector;
use Reasno\GoTask\Runtime\Stream\StreamProbe;
use Reasno\GoTask\Runtime\Stream\StreamTransport;
use Reasno\GoTask\Tls;

use function hrtime;
use function intdiv;
use function usleep;

/**
 * Plain PHP: CLI, FPM, the built-in server. Waiting stops the whole process.
 *
 * @internal
 */
final class BlockingRuntime implements Runtime
{
    public function connect(Address $address, Session $session, Tls $tls, float $timeout): Connection
    {
        $stream = StreamConnector::connect($address, $tls, $timeout);
        if ($address->tls) {
            $until = hrtime(true) + (int) ($timeout * 1e9);
            StreamConnector::encrypt($stream, $address, static function (mixed $stream) use ($until): bool {
                [$reads, $writes] = [[$stream], []];
                $wait = $until - hrtime(true);
                if ($wait > 0 && Select::streams($reads, $writes, $wait) === null) {
                    usleep(intdiv(Select::PAUSE, 1000));
                }

                return $until > hrtime(true);
            });
        }

        return new BlockingConnection($session, $address, new StreamTransport($stream));
    }

    public function latch(): ?Latch
    {
        return null;
    }

    public function spawn(Closure $body): void
    {
        throw new LogicException('Nothing can run beside the caller in this runtime.');
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
        usleep((int) ($seconds * 1e6));
    }
}
