<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\RequiresOperatingSystemFamily;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Supervision\Orphans;

#[CoversClass(Orphans::class)]
#[RequiresOperatingSystemFamily('Linux')]
#[RequiresPhpExtension('pcntl')]
final class OrphansTest extends TestCase
{
    public function testAChildThatThisProcessDidNotStartIsReapedAndItsOwnAreLeftAlone(): void
    {
        $own = ChildProcess::start(['sh', '-c', 'exit 7']);
        $orphan = pcntl_fork();
        if ($orphan === 0) {
            posix_kill((int) getmypid(), SIGKILL);
        }
        foreach ([$own->pid, $orphan] as $pid) {
            self::awaitState($pid, 'Z');
        }

        (new Orphans())->reap([$own->pid, null]);

        self::assertFileDoesNotExist("/proc/{$orphan}");
        self::assertSame(7, $own->exit()?->code);
    }

    private static function awaitState(int $pid, string $state): void
    {
        $until = hrtime(true) + 5_000_000_000;
        while (! str_contains((string) @file_get_contents("/proc/{$pid}/stat"), ") {$state} ") && hrtime(true) < $until) {
            usleep(1000);
        }
    }
}
