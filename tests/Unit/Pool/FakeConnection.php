<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use LogicException;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Goridge\Frame;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Session;

use function strlen;

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
        if ($call->method !== Session::HELLO) {
            throw new LogicException('Nobody answers.');
        }
        $this->session->receive(Frame::encode(Flag::JSON, [$call->sequence, strlen($call->method)], "{$call->method}{\"protocol\":1,\"max_payload\":1000}"));
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
