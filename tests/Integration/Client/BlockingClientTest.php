<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use Reasno\GoTask\Client;

use function getmypid;
use function hrtime;
use function pcntl_async_signals;
use function pcntl_signal;
use function proc_close;
use function proc_open;

use const SIG_DFL;
use const SIGUSR1;

/**
 * @internal
 */
final class BlockingClientTest extends ClientContract
{
    use BlockingCallers;

    #[RequiresPhpExtension('pcntl')]
    public function testASignalIsHandledWhileACallWaits(): void
    {
        $client = new Client($this->peer->address);
        $client->call('Echo');
        $handled = null;
        pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, static function () use (&$handled): void {
            $handled = hrtime(true);
        });
        $killer = proc_open(['/bin/sh', '-c', 'kill -USR1 ' . getmypid()], [], $pipes);
        self::assertIsResource($killer);
        self::assertSame('x', $client->call('Late:0.3', 'x'));
        $end = hrtime(true);
        proc_close($killer);
        pcntl_signal(SIGUSR1, SIG_DFL);
        self::assertIsInt($handled);
        self::assertGreaterThan(0.1, ($end - $handled) / 1e9);
    }
}
