<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Runtime;

use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;

use function array_map;
use function explode;
use function fclose;
use function is_resource;
use function proc_close;
use function proc_open;
use function stream_get_contents;

use const PHP_BINARY;
use const PHP_OS_FAMILY;

/**
 * @internal
 */
#[RequiresPhpExtension('swoole')]
final class SwooleStacksTest extends TestCase
{
    /** Prints the size of new stacks, and the page faults while coroutines end together a hundred times. */
    private const PROGRAM = <<<'PHP'
        require $argv[1];
        use Swoole\Coroutine;
        Coroutine::set(['c_stack_size' => 1_572_864]);
        Coroutine\run(static function (): void {
            Reasno\GoTask\Runtime\SwooleStacks::keep();
            $together = static function (): void {
                $ids = [];
                for ($i = 0; $i < 12; $i++) {
                    $ids[] = Coroutine::create(static fn () => Coroutine::yield());
                }
                array_map(Coroutine::resume(...), $ids);
            };
            $together();
            $before = getrusage()['ru_minflt'];
            for ($i = 0; $i < 100; $i++) {
                $together();
            }
            echo Coroutine::stats()['c_stack_size'], ' ', getrusage()['ru_minflt'] - $before;
        });
        PHP;

    public function testThoseOfCoroutinesThatEndTogetherAreKept(): void
    {
        if (PHP_OS_FAMILY !== 'Linux' || glob('/lib*/*/libc.so.6') === []) {
            self::markTestSkipped('Other C libraries than glibc have ways of their own.');
        }
        // Of a process of its own: what memory is kept is the whole process's.
        $process = proc_open(
            [PHP_BINARY, '-r', self::PROGRAM, __DIR__ . '/../../../vendor/autoload.php'],
            [1 => ['pipe', 'w']],
            $pipes,
        );
        self::assertTrue(is_resource($process));
        $said = (string) stream_get_contents($pipes[1]);
        fclose($pipes[1]);
        self::assertSame(0, proc_close($process));
        [$size, $faults] = array_map(intval(...), explode(' ', $said));
        self::assertSame(1_572_864, $size);
        // 1500 and more without it.
        self::assertLessThan(600, $faults);
    }
}
