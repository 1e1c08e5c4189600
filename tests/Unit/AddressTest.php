<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Address;
use ValueError;

use function getcwd;
use function str_repeat;

/**
 * @internal
 */
final class AddressTest extends TestCase
{
    #[DataProvider('addresses')]
    public function testAnAddressIsTakenApart(string $address, string $host, ?int $port): void
    {
        $parsed = Address::parse($address);
        self::assertSame([$host, $port, $address], [$parsed->host, $parsed->port, (string) $parsed]);
        self::assertSame($port === null, $parsed->isUnix());
    }

    /**
     * @return iterable<array{string, string, ?int}>
     */
    public static function addresses(): iterable
    {
        yield ['unix:///run/app/gotask.sock', '/run/app/gotask.sock', null];
        yield ['unix:///' . str_repeat('x', 105), '/' . str_repeat('x', 105), null];
        yield ['tcp://localhost:6001', 'localhost', 6001];
        yield ['tcp://127.0.0.1:65535', '127.0.0.1', 65535];
        yield ['tcp://[::1]:1', '::1', 1];
        yield ['tls://worker.example:6001', 'worker.example', 6001];
    }

    public function testARelativePathIsTakenFromTheWorkingDirectory(): void
    {
        self::assertSame(getcwd() . '/runtime/x.sock', Address::parse('unix://runtime/x.sock')->host);
    }

    #[DataProvider('notAddresses')]
    public function testWhatIsNoAddressIsRefused(string $address, string $message): void
    {
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage($message);
        Address::parse($address);
    }

    /**
     * @return iterable<array{string, string}>
     */
    public static function notAddresses(): iterable
    {
        yield ['', 'is no address'];
        yield ['/run/x.sock', 'is no address'];
        yield ['unix://', 'is no address'];
        yield ['udp://localhost:1', 'is no address'];
        yield ['unix:///' . str_repeat('x', 106), '107 bytes and can have at most 106'];
        yield ["unix:///a\0b", 'zero byte'];
        yield ['tcp://localhost', 'is no network address'];
        yield ['tls://localhost', 'write tls://host:port'];
        yield ['tcp://localhost:0', 'is no network address'];
        yield ['tcp://localhost:65536', 'is no network address'];
        yield ['tcp://::1:80', 'is no network address'];
        yield ["tcp://localhost:80\n", 'is no network address'];
    }
}
