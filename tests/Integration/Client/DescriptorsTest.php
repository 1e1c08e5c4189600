<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\ConnectFailed;

use function dirname;
use function proc_close;
use function proc_open;
use function stream_get_contents;

use const PHP_BINARY;

/**
 * @internal
 */
final class DescriptorsTest extends TestCase
{
    public function testWithoutDescriptorsAConnectionFailsAsAnyOther(): void
    {
        $this->check('blocking');
    }

    #[RequiresPhpExtension('swoole')]
    public function testTheSameWithSwoole(): void
    {
        $this->check('swoole');
    }

    private function check(string $runtime): void
    {
        $peer = new Peer();
        $process = proc_open(
            ['/bin/sh', '-c', 'ulimit -n 64; exec "$@"', 'sh', PHP_BINARY, dirname(__DIR__) . '/Fixtures/descriptors.php', $peer->address, $runtime],
            [1 => ['pipe', 'w']],
            $pipes,
        );
        self::assertIsResource($process);
        self::assertArrayHasKey(1, $pipes);
        self::assertIsResource($pipes[1]);
        $thrown = stream_get_contents($pipes[1]);
        proc_close($process);
        self::assertSame(ConnectFailed::class, $thrown);
    }
}
