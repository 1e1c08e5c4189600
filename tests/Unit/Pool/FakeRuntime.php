<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use Closure;
use LogicException;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Latch;
use Reasno\GoTask\Runtime\Probe;
use Reasno\GoTask\Runtime\Runtime;
use Reasno\GoTask\Tls;

use function array_shift;
use function in_array;

final class FakeRuntime implements Runtime
{
    /** @var list<string> of any name */
    public array $records = [];

    public int $lookups = 0;

    public bool $refuses = false;

    public string $refusal = 'refuses';

    /** @var list<string> addresses that nobody listens at */
    public array $down = [];

    /** @var array<string, ?bool> what probes find there; null: nothing yet */
    public array $probes = [];

    /** @var list<string> */
    public array $probed = [];

    /** @var list<string> */
    public array $connected = [];

    /** @var list<Connection> what it makes, before it makes connections to nobody */
    public array $makes = [];

    /** @var null|Closure(): void what runs each time before it connects */
    public ?Closure $beforeConnect = null;

    /** @var null|Closure(): void what runs once while it connects */
    public ?Closure $onConnect = null;

    /** @var list<FakeConnection> those to nobody that it has made */
    public array $made = [];

    /** @var list<float> seconds that each connection could have taken */
    public array $timeouts = [];

    public function connect(Address $address, Session $session, Tls $tls, float $timeout): Connection
    {
        $this->timeouts[] = $timeout;

        $this->connected[] = (string) $address;

        if ($this->beforeConnect !== null) {
            ($this->beforeConnect)();
        }
        $onConnect = $this->onConnect;
        $this->onConnect = null;
        if ($onConnect !== null) {
            $onConnect();
        }
        $made = array_shift($this->makes);
        if ($made !== null) {
            return $made;
        }

        return $this->refuses || in_array((string) $address, $this->down, true) ? throw new ConnectFailed("{$address} {$this->refusal}.") : $this->made[] = new FakeConnection($session, $address);
    }

    public function latch(): ?Latch
    {
        return null;
    }

    public function spawn(Closure $body): void
    {
        throw new LogicException('Nobody waits.');
    }

    public function probe(Address $address, Tls $tls, float $timeout): Probe
    {
        $this->probed[] = (string) $address;

        return new FakeProbe(fn (): ?bool => $this->probes[(string) $address] ?? null);
    }

    public function resolve(string $name): array
    {
        $this->lookups++;

        return $this->records;
    }

    public function pause(float $seconds): void
    {
    }
}
