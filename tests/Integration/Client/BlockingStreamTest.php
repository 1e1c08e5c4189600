<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Generator;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\ConnectionLost;
use Throwable;

use const SIGKILL;

/**
 * @internal
 */
final class BlockingStreamTest extends StreamContract
{
    use BlockingCallers;

    #[RequiresPhpExtension('pcntl')]
    public function testAForkedChildLeavesAStreamToItsParent(): void
    {
        $this->with(function (Client $client): void {
            $rows = $client->stream('Rows.large', [1_000, 4_096]);
            $rows->current();
            $child = pcntl_fork();
            if ($child === 0) {
                try {
                    while ($rows->valid()) {
                        $rows->next();
                    }
                } catch (Throwable $thrown) {
                    file_put_contents($this->path, $thrown::class);
                }
                unset($rows);
                posix_kill((int) getmypid(), SIGKILL);
                exit; // it does not come to that
            }
            pcntl_waitpid($child, $status);
            self::assertSame(ConnectionLost::class, file_get_contents($this->path));
            self::assertCount(1_000, iterator_to_array($rows));
            self::assertSame([0], $client->call('Rows.list', 1));
        });
    }

    #[RequiresPhpExtension('pcntl')]
    public function testACallbackThatForksGoesOnInTheParentAlone(): void
    {
        $this->with(function (Client $client): void {
            $child = 0;
            $result = null;

            try {
                $result = $client->call('Inputs.plain', input: (static function () use (&$child): Generator {
                    yield 1;
                    $child = pcntl_fork();
                    yield 2;
                })());
            } catch (ConnectionLost $lost) {
                if ($child === 0) {
                    file_put_contents($this->path, $lost::class);
                }
            }
            if ($child === 0) {
                posix_kill((int) getmypid(), SIGKILL);
            }
            pcntl_waitpid($child, $status);
            self::assertSame([ConnectionLost::class, 3], [file_get_contents($this->path), $result]);
        });
    }

    protected static function pause(): void
    {
        usleep(1000);
    }
}
