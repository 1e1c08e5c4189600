<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Console;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Address;
use Reasno\GoTask\Console\Application;
use Reasno\GoTask\Console\Command\DumpCommand;
use Reasno\GoTask\Console\Command\StatusCommand;
use Reasno\GoTask\Console\Command\TopCommand;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Figures;
use Reasno\GoTask\Console\Top\Top;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Testing\FakeGoTask;
use Reasno\GoTask\Tests\Unit\Console\Top\Statuses;
use Symfony\Component\Console\Tester\ApplicationTester;

use function array_shift;
use function array_slice;

require_once __DIR__ . '/Fixtures/names.php';

/**
 * The commands that show what goes on in workers, where there is no terminal.
 *
 * @internal
 */
#[CoversClass(DumpCommand::class)]
#[CoversClass(Figures::class)]
#[CoversClass(StatusCommand::class)]
#[CoversClass(Top::class)]
#[CoversClass(TopCommand::class)]
final class WatchingTest extends TestCase
{
    private const STACKS = "Thread 0x1 (most recent call first):\n  File \"app.py\", line 3 in work\n\n12  sync worker, idle";

    public function testWithoutATerminalTopIsOneFrameOfAnInterval(): void
    {
        $looks = [
            Statuses::look(0.0, [Statuses::method('App.hi', 10)], [Statuses::worker(11, 10)])->status->fields,
            Statuses::look(0.0, [Statuses::method('App.hi', 60)], [Statuses::worker(11, 60)])->status->fields,
        ];
        $task = new FakeGoTask(['GoTask.Status' => static function () use (&$looks): mixed {
            return array_shift($looks);
        }]);
        [$code, $output] = self::gotask($task, ['top', '--interval' => '0.01']);

        self::assertSame(ExitCode::OK, $code);
        self::assertMatchesRegularExpression('/^App\.hi +[1-9]\d* +60 +0 /m', $output);
        self::assertStringNotContainsString("\e", $output);
        $task->assertCalledTimes('GoTask.Status', 2);
    }

    public function testTopAndStatusSayWhoIsGone(): void
    {
        $task = new FakeGoTask(['GoTask.Status' => new ConnectFailed('Cannot connect to x')]);

        [$code, $output] = self::gotask($task, ['top', '--once' => true, '--interval' => '0.01']);
        self::assertSame(ExitCode::NO_CONNECTION, $code);
        self::assertMatchesRegularExpression('/^unix:.* +gone .*\nCannot connect to x$/m', $output);
        self::assertSame(ExitCode::USAGE, self::gotask($task, ['top', '--interval' => 'often'])[0]);
    }

    public function testEachMachineThatANameStandsForIsShownUnderItsOwnAddressAndCheckedByItsName(): void
    {
        $asked = [];
        $application = new Application(static function (array $addresses) use (&$asked): GoTask {
            $asked[] = $addresses[0] instanceof Address ? "{$addresses[0]} of {$addresses[0]->given()}" : $addresses[0];

            return new FakeGoTask(['GoTask.Status' => Statuses::look(0.0, [], [])->status->fields]);
        });
        $application->setAutoExit(false);
        $tester = new ApplicationTester($application);
        $addresses = ['--address' => 'tls://three.test:9630,unix:///w.sock'];
        $expected = ['tls://127.0.0.2:9630', 'tls://127.0.0.3:9630', 'tls://127.0.0.4:9630', 'unix:///w.sock'];

        $tester->run(['status', ...$addresses]);
        self::assertSame([...array_map(static fn (string $each): string => "{$each} of tls://three.test:9630", array_slice($expected, 0, 3)), 'unix:///w.sock'], $asked);
        self::assertSame($expected, array_values((array) preg_grep('~^\w+://~', explode("\n", $tester->getDisplay()))));
        $tester->run(['top', '--interval' => '0.01', ...$addresses]);
        self::assertSame(4, preg_match_all('~^\w+://\S+ +ready ~m', $tester->getDisplay()));
        $tester->run(['status', '--address' => 'no address']);
        self::assertSame(ExitCode::USAGE, $tester->getStatusCode());
    }

    public function testStatusCountsMethodsAndDeaths(): void
    {
        $status = Statuses::look(0.0, [Statuses::method('App.hi', 60, ['remote_error' => 2, 'worker_crashed' => 1])], [Statuses::worker(11)], [
            'counters' => ['deaths' => ['SIGSEGV' => 2, 'memory' => 1]],
        ])->status->fields;
        [, $output] = self::gotask(new FakeGoTask(['GoTask.Status' => $status]), ['status']);

        self::assertMatchesRegularExpression('/^deaths +2 SIGSEGV, 1 memory$/m', $output);
        self::assertMatchesRegularExpression('/^App\.hi 60 +0 +2 remote_error, 1 worker_crashed 10 µs +20 µs 1\.0 ms +2\.0 ms *$/m', $output);
        self::assertMatchesRegularExpression('/^11 .* 1\.0 MiB *$/m', $output);
        self::assertStringContainsString('"methods":[{"name":"App.hi"', self::gotask(new FakeGoTask(['GoTask.Status' => $status]), ['status', '--json' => true])[1]);
    }

    public function testDumpShowsTheStacksOfEachProcess(): void
    {
        $task = new FakeGoTask(['GoTask.Dump' => [
            ['pid' => 11, 'service' => '', 'kind' => 'sync', 'state' => 'busy', 'stacks' => self::STACKS . "\n"],
            ['pid' => 12, 'service' => 'Ml<b>', 'kind' => 'async', 'state' => 'idle', 'stacks' => "\e[2J"],
        ]]);
        [$code, $output] = self::gotask($task, ['dump']);

        self::assertSame(ExitCode::OK, $code);
        self::assertSame(<<<'TEXT'
            11  sync worker, busy
                Thread 0x1 (most recent call first):
                  File "app.py", line 3 in work

                12  sync worker, idle

            12  async worker of Ml<b>, idle
                \x1b[2J

            TEXT, $output);
        $task->assertCalled('GoTask.Dump', null);
        self::assertStringStartsWith('[{"pid":11,"service":"",', self::gotask($task, ['dump', '--pid' => '11', '--json' => true])[1]);
        $task->assertCalled('GoTask.Dump', ['pid' => 11]);
        self::assertSame(ExitCode::USAGE, self::gotask($task, ['dump', '--pid' => 'x'])[0]);
    }

    public function testNumbersAreShort(): void
    {
        self::assertSame(['0', '0.4', '9.9', '10', '999999', '1.50M'], array_map(Figures::rate(...), [0.0, 0.4, 9.94, 9.96, 999_999.0, 1.5e6]));
        self::assertSame(['0 B', '1.0 KiB', '1.5 MiB', '2.0 GiB'], array_map(Figures::size(...), [0.0, 1024.0, 1_572_864.0, 2_147_483_648.0]));
        self::assertSame(['0 µs', '999 µs', '1.0 ms', '0.10 s', '10 s'], array_map(Figures::time(...), [0.0, 0.000_999, 0.001, 0.1, 10.0]));
        self::assertSame(['119 s', '2 min', '2 h', '2 days'], array_map(Figures::duration(...), [119.9, 120.0, 7200.0, 172_800.0]));
    }

    /**
     * @param array<int|string, bool|string> $arguments
     * @return array{int, string} exit code, output
     */
    private static function gotask(GoTask $task, array $arguments): array
    {
        $application = new Application(static fn (): GoTask => $task);
        $application->setAutoExit(false);
        $tester = new ApplicationTester($application);
        $arguments['command'] = $arguments[0];
        unset($arguments[0]);

        return [$tester->run($arguments), $tester->getDisplay(true)];
    }
}
