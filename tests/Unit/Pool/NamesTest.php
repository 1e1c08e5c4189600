<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ConnectFailed;

use function array_unique;
use function array_values;
use function hrtime;
use function sort;

/**
 * A name that stands for several machines.
 *
 * @internal
 */
final class NamesTest extends ClusterTestCase
{
    protected const ADDRESSES = ['tcp://worker.internal:9630'];
    private const A = 'tcp://10.0.0.1:9630';

    private const B = 'tcp://10.0.0.2:9630';

    private const C = 'tcp://10.0.0.3:9630';

    protected function setUp(): void
    {
        parent::setUp();
        $this->runtime->records = ['10.0.0.1', '10.0.0.2'];
    }

    #[TestWith(['tcp://worker.internal:9630', true])]
    #[TestWith(['tls://worker:9630', true])]
    #[TestWith(['tcp://localhost:9630', false])]
    #[TestWith(['tcp://127.0.0.1:9630', false])]
    #[TestWith(['tcp://[::1]:9630', false])]
    #[TestWith(['unix:///tmp/worker', false])]
    public function testWhatIsAName(string $address, bool $isName): void
    {
        self::assertSame($isName, Address::parse($address)->isName());
    }

    public function testOneOfItsMachinesKeepsTheNameForCertificatesAndStatusFiles(): void
    {
        $one = Address::parse('tls://worker:9630')->at('fd00::1');
        self::assertSame(['tls://[fd00::1]:9630', 'tls://worker:9630', 'worker'], [(string) $one, $one->given(), $one->name]);
    }

    public function testCallsAreSharedByAllItsRecordsAndNoneLooksTheNameUpAgain(): void
    {
        self::assertSame([self::A, self::B], $this->used());
        self::assertSame([1, 2], [$this->runtime->lookups, $this->cluster->addresses()]);
    }

    public function testARecordThatComesIsUsedAndOneThatGoesIsNot(): void
    {
        $this->used();
        $this->runtime->records = ['10.0.0.2', '10.0.0.3'];
        $this->now = (int) hrtime(true) + 9 * self::SECOND;
        self::assertSame([self::A, self::B], $this->used());
        $this->now += 2 * self::SECOND;
        self::assertSame([self::B, self::C], $this->used());
        self::assertSame([2, 2], [$this->runtime->lookups, $this->cluster->addresses()]);
    }

    public function testAFailureLooksTheNameUpAgainButOncePerSecondAtMost(): void
    {
        while ((string) ($lost = $this->acquire())->address !== self::A);
        $this->runtime->records = ['10.0.0.2', '10.0.0.3'];
        $lost->close();
        $this->cluster->failed($lost, 'gone');
        $this->used();
        self::assertSame(1, $this->runtime->lookups);
        $this->now = (int) hrtime(true) + 2 * self::SECOND;
        self::assertSame([self::B, self::C], $this->used());
        $this->used();
        self::assertSame(2, $this->runtime->lookups);
    }

    public function testWhereNoneCanBeConnectedToTheCallLooksForNewOnes(): void
    {
        $this->now -= 900_000_000;
        $this->used();
        $this->runtime->down = [self::A, self::B];
        foreach ($this->runtime->made as $connection) {
            $connection->close();
        }
        $this->runtime->records = ['10.0.0.3'];
        // A second after the last lookup.
        usleep(150_000);
        $this->now = (int) hrtime(true);
        self::assertSame(self::C, (string) $this->acquire()->address);
    }

    public function testWhatWasFoundStaysWhileTheNameServerDoesNotAnswer(): void
    {
        $this->used();
        $this->runtime->records = [];
        $this->now = (int) hrtime(true) + 11 * self::SECOND;
        self::assertSame([self::A, self::B], $this->used());
        self::assertSame(2, $this->runtime->lookups);
    }

    public function testANameOfWhichNothingIsKnownIsTriedAsItIs(): void
    {
        $this->runtime->records = [];
        $this->runtime->down = ['tcp://worker.internal:9630'];
        $this->expectException(ConnectFailed::class);
        $this->expectExceptionMessage('Cannot connect to any of tcp://worker.internal:9630. tcp://worker.internal:9630 refuses.');
        $this->acquire();
    }

    /**
     * @return list<string> where ten calls go
     */
    private function used(): array
    {
        $addresses = array_values(array_unique($this->addresses(10)));
        sort($addresses);

        return $addresses;
    }
}
