<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\RequiresMethod;
use Revolt\EventLoop;

/**
 * @internal
 */
#[RequiresMethod(EventLoop::class, 'run')]
final class RevoltCallBackTest extends CallBackContract
{
    use RevoltCallers;

    protected static function pause(): void
    {
        $suspension = EventLoop::getSuspension();
        EventLoop::delay(0.001, static fn () => $suspension->resume());
        $suspension->suspend();
    }
}
