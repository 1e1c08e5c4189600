<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit;

use Closure;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Client;
use ValueError;

/**
 * @internal
 */
final class ClientTest extends TestCase
{
    public function testItConnectsToNothingUntilItIsCalled(): void
    {
        self::assertSame('unix:///nowhere', (new Client('unix:///nowhere'))->address);
        self::assertSame('unix:///a,tcp://b:1', (new Client(['unix:///a', 'tcp://b:1']))->address);
    }

    /**
     * @param Closure(): Client $make
     */
    #[DataProvider('wrongArguments')]
    public function testArgumentsOutOfTheirBoundsAreRefused(Closure $make, string $message): void
    {
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage($message);
        $make();
    }

    /**
     * @return iterable<array{Closure(): Client, string}>
     */
    public static function wrongArguments(): iterable
    {
        yield [static fn () => new Client('nowhere'), 'is no address'];
        yield [static fn () => new Client([]), 'at least one address'];
        yield [static fn () => new Client('unix:///x', timeout: 0.0), 'The timeout'];
        yield [static fn () => new Client('unix:///x', timeout: NAN), 'The timeout'];
        yield [static fn () => new Client('unix:///x', connectTimeout: -1.0), 'connect timeout'];
        yield [static fn () => new Client('unix:///x', maxIdleTime: INF), 'idle time'];
        yield [static fn () => new Client('unix:///x', maxConnections: 0), 'number of connections'];
        yield [static fn () => new Client('unix:///x', maxConnections: 2, minConnections: 3), 'least number'];
        yield [static fn () => new Client('unix:///x', maxPayload: 0), 'largest payload'];
    }
}
