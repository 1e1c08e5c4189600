<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit;

use Closure;
use Exception;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\GoTaskException;
use ValueError;

use function ini_set;
use function ob_get_clean;
use function ob_start;
use function print_r;
use function serialize;
use function var_dump;
use function var_export;

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

    public function testItsKeyIsNowhereThatAnObjectIsShown(): void
    {
        $key = 'not to be seen in any log';
        $client = new Client('tcp://127.0.0.1:1', key: $key, timeout: 0.1);
        $shown = @var_export($client, true) . print_r($client, true) . print_r((array) $client, true);
        ob_start();
        var_dump($client);
        $shown .= ob_get_clean();
        $ignored = ini_set('zend.exception_ignore_args', '0');

        try {
            $client->call('App.hi');
            self::fail('Nobody listens.');
        } catch (GoTaskException $exception) {
            $shown .= print_r($exception->getTrace(), true) . $exception;
        }

        try {
            new Client('tcp://127.0.0.1:1', key: $key, timeout: -1.0);
            self::fail('A timeout below 0 was taken.');
        } catch (ValueError $exception) {
            $shown .= print_r($exception->getTrace(), true) . $exception;
        } finally {
            ini_set('zend.exception_ignore_args', (string) $ignored);
        }

        try {
            $shown .= serialize((array) $client);
        } catch (Exception $exception) {
            $shown .= $exception;
        }
        self::assertStringNotContainsString($key, $shown);
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
