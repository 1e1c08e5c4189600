<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use LogicException;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Connection;

/**
 * A connection to nobody: what is sent stays outstanding.
 */
final class FakeConnection extends Connection
{
    public bool $alive = true;

    public int $disconnected = 0;

    public function flush(): void
    {
        $this->session->sendBuffer->clear();
    }

    public function await(Call $call): void
    {
        throw new LogicException('Nobody answers.');
    }

    public function awaitAny(array $calls): void
    {
        throw new LogicException('Nobody answers.');
    }

    public function probe(): bool
    {
        if (! $this->alive) {
            $this->close();
        }

        return $this->isUsable();
    }

    protected function send(string $frame): void
    {
    }

    protected function drain(): void
    {
    }

    protected function disconnect(): void
    {
        $this->disconnected++;
    }

    protected function forget(): void
    {
    }
}
