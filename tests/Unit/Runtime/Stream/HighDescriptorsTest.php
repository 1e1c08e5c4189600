<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Runtime\Stream;

use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

use function count;
use function dirname;
use function fopen;
use function getenv;
use function is_resource;
use function proc_close;
use function proc_open;
use function stream_get_contents;

use const PHP_BINARY;
use const STDERR;

/**
 * Runs other tests where every further descriptor is above the 1023 that select() can watch.
 *
 * @internal
 */
final class HighDescriptorsTest extends TestCase
{
    private const SWITCH = 'GOTASK_TEST_HIGH_DESCRIPTORS';

    /** @var list<resource> */
    private static array $taken = [];

    /**
     * Takes the descriptors below, in a process that this test has started.
     */
    public static function take(): void
    {
        while (getenv(self::SWITCH) === '1' && count(self::$taken) < 1100) {
            $file = fopen('/dev/null', 'r');
            self::assertIsResource($file);
            self::$taken[] = $file;
        }
    }

    #[DataProvider('suites')]
    public function testTheyPassThere(string $file, string $filter): void
    {
        $command = ['/bin/sh', '-c', 'ulimit -n 2048 && exec "$@"', 'sh', PHP_BINARY, 'vendor/bin/phpunit', '--filter', $filter, $file];
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => STDERR], $pipes, dirname(__DIR__, 4), [self::SWITCH => '1'] + getenv());
        self::assertIsResource($process);
        self::assertTrue(is_resource($pipes[1] ?? null));
        $said = (string) stream_get_contents($pipes[1]);
        self::assertSame(0, proc_close($process), $said);
        self::assertStringContainsString('OK (', $said);
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public static function suites(): iterable
    {
        yield 'streams' => ['tests/Unit/Runtime/Stream/StreamTransportTest.php', '.'];
        yield 'TLS, to one address and to several' => ['tests/Integration/Client/BlockingAccessTest.php', 'testCallsPassThroughTls|testOfSeveralAddresses'];
    }
}
