<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use LogicException;
use PHPUnit\Framework\Attributes\RequiresMethod;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Revolt\EventLoop;

use function gc_collect_cycles;
use function hrtime;

/**
 * @internal
 */
#[RequiresMethod(EventLoop::class, 'run')]
final class RevoltClientTest extends ClientContract
{
    use RevoltCallers;

    public function testTheLoopEndsWhenNobodyWaits(): void
    {
        $start = hrtime(true);
        $this->within(static function (Client $client): void {
            $client->call('Echo');
            $client->callAsync('Never', null, 60.0);
        });
        self::assertLessThan(30.0, (hrtime(true) - $start) / 1e9);
    }

    public function testAConnectionThatIsLetGoLeavesNothingInTheLoop(): void
    {
        gc_collect_cycles();
        $before = EventLoop::getIdentifiers();
        $client = new Client($this->peer->address);
        EventLoop::queue(static function () use ($client): void {
            $client->call('Echo');

            try {
                $client->call('Never', null, 0.02);
            } catch (DeadlineExceeded) {
            }
        });
        EventLoop::run();
        self::assertNotSame($before, EventLoop::getIdentifiers());
        unset($client);
        self::assertSame($before, EventLoop::getIdentifiers());
    }

    public function testAnotherFiberCannotAwaitWhatOneAwaits(): void
    {
        $this->within(function (Client $client): void {
            $future = $client->callAsync('Late:0.05', 'x');
            $results = $this->concurrently([
                static fn () => $future->await(),
                static function () use ($future): string {
                    try {
                        $future->await();
                    } catch (LogicException $error) {
                        return $error->getMessage();
                    }

                    return '';
                },
            ]);
            self::assertSame('x', $results[0]);
            self::assertIsString($results[1]);
            self::assertStringContainsString('already being waited for', $results[1]);
            self::assertSame('x', $future->await());
        });
    }

    public function testAClientServesFibersAndPlainCodeAlike(): void
    {
        $client = new Client($this->peer->address);
        self::assertSame(1, $client->call('Echo', 1));
        EventLoop::queue(static fn () => self::assertSame(2, $client->call('Connections:2')));
        EventLoop::run();
        self::assertSame(2, $client->call('Connections'));
    }
}
