<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use Closure;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;
use Psr\Log\NullLogger;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Process\Child\BrokerProcess;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Child\WorkerState;
use Reasno\GoTask\Process\WorkerProcess;

use function dirname;

/**
 * Against a shell script in the broker's place.
 */
#[CoversClass(BrokerProcess::class)]
#[CoversClass(ChildProcess::class)]
#[CoversClass(WorkerProcess::class)]
#[RequiresPhpExtension('posix')]
final class BrokerProcessTest extends TestCase
{
    private const DEAF = 'trap "" HUP INT QUIT TERM; echo \'{"event":"ready"}\'; exec 0<&-; while :; do sleep 0.05; done';

    public function testOneThatHeedsNothingIsKilledAfterTheGraceAndNotBefore(): void
    {
        $broker = new BrokerProcess(['sh', '-c', self::DEAF], null, null, 5.0, 30.0, new NullLogger());
        self::until(static fn (): bool => $broker->poll(0.1) === WorkerState::Ready);
        $started = hrtime(true);
        $broker->kill();
        self::until(static fn (): bool => $broker->poll(0.1) === WorkerState::Ended);

        self::assertSame(9, $broker->exit()?->signal);
        self::assertGreaterThan(0.9, (hrtime(true) - $started) / 1e9);
    }

    public function testWhatIsKilledIsKilledWithItsGroup(): void
    {
        $child = ChildProcess::start(['setsid', 'sh', '-c', 'sleep 100 & echo $!; trap "" TERM; wait']);
        $output = '';
        self::until(static function () use ($child, &$output): bool {
            $output .= $child->read(0.1)[0];

            return str_ends_with($output, "\n");
        });
        $below = (int) $output;
        self::assertGreaterThan(1, $below);
        $child->kill();

        self::until(static fn (): bool => ! $child->isRunning());
        self::until(static fn (): bool => ! posix_kill($below, 0) || str_contains((string) @file_get_contents("/proc/{$below}/stat"), ') Z '));
        self::assertSame(9, $child->exit()?->signal);
    }

    public function testAReloadThatIsNotAnsweredEndsByItself(): void
    {
        $python = tempnam(sys_get_temp_dir(), 'gotask-python-');
        self::assertNotFalse($python);
        file_put_contents($python, "#!/bin/sh\n" . self::DEAF);
        chmod($python, 0o700);
        $worker = new WorkerProcess('app.py', python: $python, startTimeout: 0.5, shutdownTimeout: 0.1);
        try {
            $worker->start();
            $worker->reload();
            self::fail('It was loaded again.');
        } catch (DeadlineExceeded $failure) {
            self::assertStringContainsString('not loaded again within 1 s, twice the start timeout', $failure->getMessage());
            self::assertTrue($worker->isRunning(), 'the old code goes on');
        } finally {
            $worker->kill();
            $worker->stop();
            unlink($python);
        }
        self::assertSame(9, $worker->exit()?->signal);
    }

    public function testAProcessWithThousandsOfDescriptorsReadsItAllTheSame(): void
    {
        $code = 'require $argv[1] . "/vendor/autoload.php"; $files = [];
            for ($i = 0; $i < 1100; $i++) { $files[] = fopen("/dev/null", "r"); }
            $child = Reasno\GoTask\Process\Child\ChildProcess::start(["echo", "read"]);
            for ($until = microtime(true) + 5, $said = ""; $said === "" && microtime(true) < $until;) { $said .= $child->read(0.1)[0]; }
            echo end($files) ? $said : "no descriptors";';
        $child = ChildProcess::start(['sh', '-c', 'ulimit -n 2048 && exec "$@"', 'sh', PHP_BINARY, '-r', $code, dirname(__DIR__, 3)]);
        $output = '';
        self::until(static function () use ($child, &$output): bool {
            $output .= implode('', $child->read(0.1));

            return ! $child->isRunning();
        });

        self::assertSame("read\n", $output . implode('', $child->read(0.0)));
    }

    /**
     * @param Closure(): bool $condition
     */
    private static function until(Closure $condition): void
    {
        $until = hrtime(true) + 10_000_000_000;
        while (! $condition()) {
            self::assertLessThan($until, hrtime(true));
            usleep(1000);
        }
    }
}
