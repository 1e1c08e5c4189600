<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

use Reasno\GoTask\Connection\Latch;
use Swoole\Coroutine\Channel;

/**
 * @internal
 */
final class SwooleLatch implements Latch
{
    private readonly Channel $channel;

    public function __construct()
    {
        $this->channel = new Channel(1);
    }

    public function wait(float $seconds): void
    {
        // Nothing is ever pushed: closing it is what lets all through, and whoever comes later.
        $this->channel->pop($seconds);
    }

    public function open(): void
    {
        $this->channel->close();
    }
}
