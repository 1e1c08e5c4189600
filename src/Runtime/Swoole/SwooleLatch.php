<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Swoole;

use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Runtime\Latch;
use Swoole\Coroutine\Channel;

use const SWOOLE_CHANNEL_CANCELED;

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
        // Nothing is ever pushed: closing the channel lets all callers through, also those that come later.
        if ($this->channel->pop($seconds) === false && $this->channel->errCode === SWOOLE_CHANNEL_CANCELED) {
            throw new Cancelled('The coroutine was cancelled while it waited for a connection.');
        }
    }

    public function open(): void
    {
        $this->channel->close();
    }
}
