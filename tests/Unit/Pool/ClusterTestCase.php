<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use PHPUnit\Framework\TestCase;
use Psr\Log\NullLogger;
use Reasno\GoTask\Address;
use Reasno\GoTask\Pool\Cluster;
use Reasno\GoTask\Pool\Settings;
use Reasno\GoTask\Protocol\Connection;

use function array_map;
use function hrtime;

/**
 * A cluster without any network, at a time that the test sets.
 */
abstract class ClusterTestCase extends TestCase
{
    protected const SECOND = 1_000_000_000;

    /** @var non-empty-list<string> of the cluster */
    protected const ADDRESSES = ['unix:///a'];

    protected FakeRuntime $runtime;

    protected Cluster $cluster;

    /** hrtime() in ns */
    protected int $now;

    protected function setUp(): void
    {
        $this->runtime = new FakeRuntime();
        $settings = new Settings(
            connectTimeout: 8.0,
            minConnections: 1,
            maxConnections: 3,
            maxIdleTime: 10.0,
            maxPayload: 1000,
            logger: new NullLogger(),
        );
        $this->cluster = new Cluster($this->runtime, $settings, array_map(Address::parse(...), static::ADDRESSES));
        $this->now = (int) hrtime(true);
    }

    /**
     * @return list<string> where so many calls go
     */
    protected function addresses(int $count): array
    {
        $addresses = [];
        for ($i = 0; $i < $count; $i++) {
            $addresses[] = (string) $this->acquire()->address;
        }

        return $addresses;
    }

    protected function acquire(): Connection
    {
        return $this->cluster->acquire($this->now + 30 * self::SECOND, $this->now, 'A');
    }
}
