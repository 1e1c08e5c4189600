<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\Cancelled;
use Swoole\Coroutine;
use Swoole\Coroutine\CanceledException;
use Swoole\Coroutine\Channel;
use Throwable;

/**
 * @internal
 */
#[RequiresPhpExtension('swoole')]
final class SwooleCallBackTest extends CallBackContract
{
    use SwooleCallers;

    #[TestWith([false, Cancelled::class])]
    #[TestWith([true, CanceledException::class])]
    public function testACoroutineThatIsCancelledInAServiceEndsItsCall(bool $throws, string $exception): void
    {
        $numbers = new Numbers();
        $this->with(function (Client $client) use ($numbers, $throws, $exception): void {
            $hangs = new Channel(1);
            $numbers->onHang = static function () use ($hangs, $client): void {
                $hangs->push(true);
                // A call of a service's own, which says itself that it was cancelled.
                (new Client($client->address))->call('Work.wait_async', 20.0);
            };
            $thrown = null;
            $cid = Coroutine::create(function () use ($client, &$thrown): void {
                try {
                    $client->call('Back.hang', $this->path);
                } catch (Throwable $thrown) {
                }
            });
            self::assertIsInt($cid);
            $hangs->pop();
            Coroutine::sleep(0.01);
            Coroutine::cancel($cid, $throws);
            $this->assertEnded();
            self::assertSame($exception, $thrown === null ? null : $thrown::class);
        }, ['Numbers' => $numbers]);
    }

    protected static function pause(): void
    {
        Coroutine::sleep(0.001);
    }
}
