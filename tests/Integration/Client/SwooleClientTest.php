<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use LogicException;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Future;
use Swoole\Coroutine;
use Swoole\Event;
use Throwable;

use function array_map;
use function getmypid;
use function hrtime;
use function pcntl_async_signals;
use function pcntl_signal;
use function proc_close;
use function proc_open;
use function range;
use function str_repeat;
use function Swoole\Coroutine\run;

use const SIG_DFL;
use const SIGUSR1;

/**
 * @internal
 */
#[RequiresPhpExtension('swoole')]
final class SwooleClientTest extends ClientContract
{
    use SwooleCallers;

    protected function tearDown(): void
    {
        Coroutine::set(['hook_flags' => 0]);
        parent::tearDown();
    }

    public function testItNeedsNoHooks(): void
    {
        Coroutine::set(['hook_flags' => 0]);
        run(function (): void {
            $client = new Client($this->peer->address);
            $results = $this->concurrently(array_map(
                static fn (int $i): Closure => static fn () => $client->call('Hold:10', $i),
                range(0, 9),
            ));
            self::assertSame(range(0, 9), $results);
        });
    }

    public function testNoCoroutineIsLeftWhenNobodyWaits(): void
    {
        $this->within(static function (Client $client): void {
            $client->call('Echo');
            $client->callAsync('Never');
            self::assertSame(1, Coroutine::stats()['coroutine_num']);
        });
        self::assertSame(0, Coroutine::stats()['coroutine_num']);
    }

    public function testACoroutineThatIsCancelledGivesItsCallUp(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $reader = $this->start(static fn () => $client->call('Never'));
            $parked = $this->start(static fn () => $client->call('Never'));
            $other = $this->start(static fn () => $client->call('Late:0.05', 'other'));
            foreach ([$parked, $reader] as $cancelled) {
                self::assertTrue(Coroutine::cancel($cancelled->cid));
                self::assertInstanceOf(Cancelled::class, $cancelled->await());
            }
            self::assertSame('other', $other->await());
            self::assertCount(2, (array) $client->call('Cancelled:2'));
            self::assertSame('next', $client->call('Echo', 'next'));
        });
    }

    public function testACoroutineThatIsCancelledWhileItWritesLeavesTheOthersAlone(): void
    {
        $this->within(function (): void {
            $client = new Client($this->peer->address, maxConnections: 1);
            $client->call('Echo');
            $payload = str_repeat('x', 1000);
            // The peer reads nothing for a while: at some time the socket is full, and one caller waits for it to take more.
            $stalled = $this->start(static fn () => $client->call('Stall:0.2', 'stalled'));
            do {
                $caller = $this->start(static fn () => $client->call('Echo', $payload));
                $trace = Coroutine::getBackTrace($caller->cid, DEBUG_BACKTRACE_IGNORE_ARGS, 1);
            } while (($trace[0]['function'] ?? '') !== 'send');
            Coroutine::cancel($caller->cid, true);
            $others = [];
            for ($i = 0; $i < 10; $i++) {
                $others[] = $this->start(static fn () => $client->call('Echo', $i, 5.0));
            }
            self::assertSame('stalled', $stalled->await());
            self::assertSame(range(0, 9), array_map(static fn ($other) => $other->await(), $others));
            self::assertInstanceOf(Throwable::class, $caller->await());
            self::assertSame('next', $client->call('Echo', 'next'));
            self::assertSame(1, $client->call('Connections'));
        });
    }

    #[RequiresPhpExtension('pcntl')]
    public function testWhatInterruptsTheReaderHasAConnectionOfItsOwn(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $nested = [];
            pcntl_async_signals(true);
            pcntl_signal(SIGUSR1, static function () use ($client, &$nested): void {
                $nested[] = $client->call('Echo', 'nested', 2.0);
            });
            $reader = $this->start(static fn () => $client->call('Late:0.05', 'reader'));
            $other = $this->start(static fn () => $client->call('Late:0.05', 'other'));
            // It comes while nothing runs: the reader is the first that does, with what it has just read in its hands.
            $killer = proc_open(['/bin/sh', '-c', 'sleep 0.02; kill -USR1 ' . getmypid()], [], $pipes);
            self::assertIsResource($killer);
            self::assertSame(['reader', 'other'], [$reader->await(), $other->await()]);
            proc_close($killer);
            pcntl_signal(SIGUSR1, SIG_DFL);
            self::assertSame(['nested'], $nested);
        });
    }

    public function testTheReaderCanBeCancelledWhileItLetsOthersHaveATurn(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $reader = $this->start(static fn () => $client->call('Never'));
            // All twenty are answered at once. The first that is resumed has the reader cancelled, which has not resumed the last by then.
            $cancelled = [];
            $others = [];
            foreach (range(0, 19) as $i) {
                $others[] = $this->start(static function () use ($client, $reader, $i, &$cancelled): mixed {
                    $answer = $client->call('Hold:20', $i);
                    if ($cancelled === []) {
                        $cancelled[] = false;
                        Event::defer(static function () use ($reader, &$cancelled): void {
                            $cancelled[] = true;
                            Coroutine::cancel($reader->cid);
                        });
                    }

                    return $answer;
                });
            }
            self::assertSame(range(0, 19), array_map(static fn ($other) => $other->await(), $others));
            self::assertInstanceOf(Cancelled::class, $reader->await());
            self::assertSame([false, true], $cancelled);
            self::assertSame('next', $client->call('Echo', 'next'));
        });
    }

    public function testAnExceptionThrownIntoAWaitingCoroutineLeavesTheOthersAlone(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $reader = $this->start(static fn () => $client->call('Never'));
            $parked = $this->start(static fn () => $client->call('Never'));
            $other = $this->start(static fn () => $client->call('Late:0.05', 'other'));
            foreach ([$reader, $parked] as $cancelled) {
                Coroutine::cancel($cancelled->cid, true);
                self::assertNotInstanceOf(GoTaskException::class, $cancelled->await());
                self::assertInstanceOf(Throwable::class, $cancelled->await());
            }
            self::assertSame('other', $other->await());
            self::assertCount(2, (array) $client->call('Cancelled:2'));
        });
    }

    public function testCancelledWhileItRunsCallsInParallel(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $cancelled = $this->start(static fn () => $client->parallel([['Never'], ['Never'], ['Never']], concurrency: 2));
            Coroutine::cancel($cancelled->cid);
            self::assertInstanceOf(Cancelled::class, $cancelled->await());
            self::assertCount(2, (array) $client->call('Cancelled:2'));
            self::assertSame(2, $client->call('Calls:Never'));
        });
    }

    public function testReadersThatHandOverInARowLetTheOthersHaveTheirTurn(): void
    {
        $this->within(function (Client $client): void {
            $callers = [];
            for ($i = 0; $i < 300; $i++) {
                $callers[] = static fn () => $client->call('Hold:300', $i) === $i && $client->call('Hold:300', -$i) === -$i;
            }
            self::assertNotContains(false, $this->concurrently($callers));
        });
    }

    public function testAStuckWriteEndsWithItsDeadline(): void
    {
        $this->within(function (Client $client): void {
            $client->call('Echo');
            $stalled = $client->callAsync('Stall:0.5');
            $start = hrtime(true);

            try {
                $client->call('Length', str_repeat('x', 5_000_000), 0.1);
                self::fail('It was answered.');
            } catch (DeadlineExceeded) {
            }
            self::assertElapsed(0.1, $start);
            self::assertNull($stalled->await());
            self::assertSame('next', $client->call('Echo', 'next'));
        });
    }

    public function testOneThatWaitsForAConnectionCanBeCancelled(): void
    {
        $this->peer->stop();
        $this->peer = new Peer('silent', 'tcp://127.0.0.1:0');
        $this->within(function (): void {
            $client = new Client($this->peer->address, connectTimeout: 0.2);
            $first = $this->start(static fn () => $client->call('Echo'));
            $second = $this->start(static fn () => $client->call('Echo'));
            Coroutine::cancel($second->cid);
            self::assertInstanceOf(Cancelled::class, $second->await());
            self::assertInstanceOf(ConnectFailed::class, $first->await());
        });
    }

    public function testAFutureIsAwaitedWhereCoroutinesAre(): void
    {
        $future = null;
        $this->within(static function (Client $client) use (&$future): void {
            $future = $client->callAsync('Never');
        });
        self::assertInstanceOf(Future::class, $future);
        $this->expectException(LogicException::class);
        $future->await();
    }

    public function testAClientServesCoroutinesAndPlainCodeAlike(): void
    {
        $client = new Client($this->peer->address);
        self::assertSame(1, $client->call('Echo', 1));
        for ($i = 0; $i < 2; $i++) {
            run(static function () use ($client): void {
                self::assertSame(2, $client->call('Echo', 2));
            });
        }
        self::assertSame(2, $client->call('Connections'));
    }

    /**
     * @param Closure(): mixed $body
     */
    private function start(Closure $body): StartedCoroutine
    {
        return new StartedCoroutine($body);
    }
}
