<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use Reasno\GoTask\Client;
use Reasno\GoTask\Process\WorkerProcess;

use function dirname;
use function file_get_contents;
use function file_put_contents;
use function hrtime;
use function sys_get_temp_dir;
use function tempnam;
use function unlink;

/**
 * Tests of what goes to and fro within a call, with a real worker that runs Fixtures/exchange.py.
 */
abstract class ExchangeTestCase extends RuntimeTestCase
{
    /** Runs for all runtimes, until PHPUnit ends. */
    private static ?WorkerProcess $worker = null;

    /** A file that methods tell by what becomes of them. */
    protected string $path;

    protected function setUp(): void
    {
        if (self::$worker === null) {
            self::$worker = new WorkerProcess(
                dirname(__DIR__) . '/Fixtures/exchange.py',
                workers: 3,
                // On a busy machine a method takes longer to end than it is usually given.
                environment: ['GOTASK_INTERRUPT_GRACE' => '5'],
            );
            self::$worker->start();
        }
        $this->path = (string) tempnam(sys_get_temp_dir(), 'gotask-exchange-');
    }

    protected function tearDown(): void
    {
        @unlink($this->path);
    }

    /**
     * @param Closure(Client): mixed $body is given a client with one connection
     * @param array<string, object> $services
     */
    protected function with(Closure $body, array $services = []): void
    {
        $this->runIn(static function () use ($body, $services): void {
            $client = new Client((string) self::$worker?->address(), timeout: 60.0, maxConnections: 1, services: $services);

            try {
                $body($client);
            } finally {
                $client->close();
            }
        });
    }

    /**
     * That a method's `finally` has run. Only what hangs takes as long as this allows.
     */
    protected function assertEnded(): void
    {
        $until = hrtime(true) + 5e9;
        while (file_get_contents($this->path) !== 'ended' && hrtime(true) < $until) {
            static::pause();
        }
        self::assertSame('ended', file_get_contents($this->path));
        file_put_contents($this->path, '');
    }

    /**
     * Waits for a millisecond, in the manner of the runtime.
     */
    abstract protected static function pause(): void;
}
