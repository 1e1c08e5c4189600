<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\GoTaskException;
use RuntimeException;

use function array_sum;
use function getmypid;
use function hrtime;
use function pcntl_async_signals;
use function pcntl_signal;
use function proc_close;
use function proc_open;
use function proc_terminate;
use function str_repeat;

use const SIG_DFL;
use const SIG_IGN;
use const SIGKILL;
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

    #[RequiresPhpExtension('pcntl')]
    public function testASignalsHandlerCanMakeCallsWhateverItInterrupts(): void
    {
        $client = new Client($this->peer->address);
        $client->call('Echo');
        $large = str_repeat('x', 300_000);
        $nested = $wrong = $own = 0;
        $this->signalled(static function () use ($client, $large, &$nested, &$wrong): void {
            $nested++;
            $payload = $nested % 10 === 0 ? $large : "nested {$nested}";
            $wrong += (int) ($client->call('Echo', $payload, 5.0) !== $payload);
            $client->callAsync('Echo', $nested)->cancel();
        }, static function () use ($client, $large, &$nested, &$wrong, &$own): void {
            for ($i = 0; $nested < 100; $i++) { // @phpstan-ignore smaller.alwaysTrue (the handler counts)
                $payload = $i % 10 === 0 ? $large : "own {$i}";
                $wrong += (int) ($client->call('Echo', $payload, 5.0) !== $payload);
                $own += array_sum($client->parallel([['Echo', 1], ['Echo', 2], ['Echo', 3]]));
                self::assertSame(6 * ($i + 1), $own);
            }
        });
        self::assertSame(0, $wrong);
        self::assertLessThanOrEqual(4, $client->call('Connections'));
    }

    #[RequiresPhpExtension('pcntl')]
    public function testASignalIsNoErrorAlsoWhereAnErrorHandlerHeedsNoSuppression(): void
    {
        $client = new Client($this->peer->address);
        $handled = 0;
        $this->signalled(static function () use (&$handled): void {
            $handled++;
        }, static function () use ($client, &$handled): void {
            self::underAStrictHandler(static function () use ($client, &$handled): void {
                for ($i = 0; $handled < 20; $i++) { // @phpstan-ignore smaller.alwaysTrue (the handler counts)
                    self::assertSame($i, $client->call('Late:0.02', $i, 5.0));
                }
            });
        });
    }

    #[RequiresPhpExtension('pcntl')]
    #[TestWith([1, 'call'])]
    #[TestWith([2, 'parallel'])]
    public function testThePeerIsToldThatAnExceptionOfASignalsHandlerHasEndedTheCall(int $calls, string $way): void
    {
        $client = new Client($this->peer->address);
        $client->call('Echo');
        pcntl_async_signals(true);
        $waits = INF;    // from when on the calls have surely been sent
        pcntl_signal(SIGUSR1, static function () use (&$waits): void {
            if (microtime(true) > $waits) {
                $waits = INF;
                throw new RuntimeException('The user has had enough.');
            }
        });
        $killer = proc_open(['/bin/sh', '-c', 'while kill -USR1 ' . getmypid() . '; do sleep 0.1; done'], [], $pipes);
        self::assertIsResource($killer);

        try {
            $waits = microtime(true) + 0.3;
            $way === 'call' ? $client->call('Late:20') : $client->parallel([['Late:20'], ['Late:20']]);
            self::fail('The handler has thrown.');
        } catch (RuntimeException $thrown) {
            self::assertSame('The user has had enough.', $thrown->getMessage());
        } finally {
            proc_terminate($killer);
            proc_close($killer);
            pcntl_signal(SIGUSR1, SIG_DFL);
        }
        $asked = hrtime(true);
        self::assertCount($calls, (array) $client->call("Cancelled:{$calls}", null, 8.0));
        // It counts itself where its own time is over.
        self::assertLessThan(7.0, (hrtime(true) - $asked) / 1e9);
    }

    #[RequiresPhpExtension('pcntl')]
    public function testACallThatAnExceptionOfASignalsHandlerEndsSpoilsNoLaterOne(): void
    {
        $client = new Client($this->peer->address);
        $thrown = 0;
        $calls = false;
        $this->signalled(static function () use (&$calls): void {
            if ($calls) { // @phpstan-ignore if.alwaysFalse (the body sets it)
                throw new RuntimeException('Time is over.');
            }
        }, static function () use ($client, &$thrown, &$calls): void {
            for ($i = 0; $thrown < 50; $i++) {
                try {
                    $calls = true;
                    if (($length = self::length($client->call('Size:3000000', null, 5.0))) !== 3_000_000 || $client->call('Echo', $i) !== $i) {
                        self::fail("A wrong answer, of {$length} bytes.");
                    }
                } catch (RuntimeException $exception) {
                    if ($exception instanceof GoTaskException) {
                        throw $exception;
                    }
                    $thrown++;
                } finally {
                    $calls = false;
                }
            }
        });
        self::assertSame('fine', $client->call('Echo', 'fine'));
    }

    /**
     * Runs the body while a signal comes every now and then, at any moment.
     *
     * @param Closure(): void $handler
     * @param Closure(): void $body
     */
    private function signalled(Closure $handler, Closure $body): void
    {
        pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, $handler);
        $killer = proc_open(['/bin/sh', '-c', 'while kill -USR1 ' . getmypid() . '; do sleep 0.00$((RANDOM % 7))1 2>/dev/null || sleep 0.003; done'], [], $pipes);
        self::assertIsResource($killer);

        try {
            $body();
        } finally {
            pcntl_signal(SIGUSR1, SIG_IGN);
            proc_terminate($killer, SIGKILL);
            proc_close($killer);
            pcntl_signal(SIGUSR1, SIG_DFL);
        }
    }
}
