<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Connection;

use LogicException;
use Reasno\GoTask\Address;
use Reasno\GoTask\Connection\Connection;
use Reasno\GoTask\Connection\Latch;
use Reasno\GoTask\Connection\Session;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Runtime\Runtime;

final class FakeRuntime implements Runtime
{
    public bool $refuses = false;

    /** @var list<float> seconds that each connection could have taken */
    public array $timeouts = [];

    public function connect(Address $address, Session $session, float $timeout): Connection
    {
        $this->timeouts[] = $timeout;

        return $this->refuses ? throw new ConnectFailed('refused') : new FakeConnection($session, $address);
    }

    public function latch(): Latch
    {
        throw new LogicException('Nobody waits.');
    }

    public function pause(float $seconds): void
    {
        throw new LogicException('Nobody waits.');
    }
}
