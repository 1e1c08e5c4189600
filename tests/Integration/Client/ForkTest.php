<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;

use function array_map;
use function dirname;
use function explode;
use function json_decode;
use function proc_close;
use function proc_open;
use function stream_get_contents;
use function trim;

use const PHP_BINARY;

/**
 * @internal
 */
#[RequiresPhpExtension('pcntl')]
final class ForkTest extends TestCase
{
    public function testAForkedChildUsesAConnectionOfItsOwn(): void
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
            [PHP_BINARY, dirname(__DIR__) . '/Fixtures/fork.php', $peer->address, $runtime],
            [1 => ['pipe', 'w']],
            $pipes,
        );
        self::assertIsResource($process);
        self::assertArrayHasKey(1, $pipes);
        self::assertIsResource($pipes[1]);
        $lines = explode("\n", trim((string) stream_get_contents($pipes[1])));
        proc_close($process);
        self::assertCount(2, $lines);
        [$child, $parent] = array_map(static fn (string $line): mixed => json_decode($line, true), $lines);
        self::assertIsArray($child);
        self::assertSame(['child', 2], [$child[0], $child[1]]);
        self::assertIsString($child[2]);
        self::assertStringContainsString('forked', $child[2]);
        self::assertSame(['parent', 1, 'on the same connection', 1], $parent);
    }
}
