<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Console\Top;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Console\Top\Activity;
use Reasno\GoTask\Console\Top\Column;
use Reasno\GoTask\Console\Top\Grid;
use Reasno\GoTask\Console\Top\Screen;
use Reasno\GoTask\Console\Top\Tables;
use Reasno\GoTask\Console\Top\View;
use Reasno\GoTask\Console\TypedMap;
use Symfony\Component\Console\Formatter\OutputFormatter;

use function count;
use function mb_strwidth;

/**
 * Two looks at workers as what someone sees.
 *
 * @internal
 */
#[CoversClass(Activity::class)]
#[CoversClass(Column::class)]
#[CoversClass(Grid::class)]
#[CoversClass(Screen::class)]
#[CoversClass(Tables::class)]
final class ScreenTest extends TestCase
{
    public function testTheDifferenceOfTwoLooksIsWhatGoesOn(): void
    {
        self::assertSame([
            'worker   state  up for  calls/s  total  running  queue    bytes  oldest  conns   memory   CPU',
            'default  ready    60 s      105    310        1      2  2.0 KiB  0.25 s      3  3.0 MiB  150%',
            '',
            'method    calls/s▾  total  errors  wait p50    p99  run p50     p99  bytes/s',
            'App.hi         100    300       3     10 µs  20 µs   1.0 ms  2.0 ms  2.0 KiB',
            'App.work       5.0     10       0     10 µs  20 µs   2.00 s  4.00 s      0 B',
            '',
            'process  service▾  kind  gen  state  calls/s   memory   CPU  runs',
            '     11  (shared)  sync    1  busy        50  1.0 MiB  100%  App.work 3.20 s',
            '     12  (shared)  sync    1  idle       5.0  2.0 MiB   50%',
        ], self::plain(Screen::lines([self::activity()], new View(), 200, null)));
    }

    public function testANarrowTerminalShowsNamesMemoryAndCpuAndGoesWithoutExtraColumns(): void
    {
        $name = 'Orders.validate_address';
        $activity = Statuses::look(1.0, [Statuses::method($name, 1_000_000)], [Statuses::worker(123_456, running: [['method' => $name, 'seconds' => 1.0]])]);
        $view = new View();
        $lines = self::plain(Screen::lines([$activity], $view, 79, 24));

        self::assertStringEndsWith('memory  CPU', $lines[0]);
        self::assertSame('method                   calls/s▾  errors  wait p50    p99  run p50     p99', $lines[3]);
        self::assertStringStartsWith($name, $lines[4]);
        self::assertStringContainsString('runs', $lines[6]);
        self::assertSame('process  ↑↓ select  r recycle  K kill  d stack  f failures    q quit', $lines[23]);
        self::assertStringEndsWith('n name', $lines[22]);

        $view->methods = 'calls';
        self::assertStringContainsString('total▾', self::plain(Screen::lines([$activity], $view, 79, 24))[3], 'what it is sorted by is seen');
    }

    public function testOfTheFirstLookNoRateIsKnown(): void
    {
        $lines = self::plain(Screen::lines([Statuses::look(1.0, [Statuses::method('App.hi', 300)], [])], new View(), 200, null));

        self::assertMatchesRegularExpression('/^default +ready +60 s +- +300 .* -$/', $lines[1]);
        self::assertMatchesRegularExpression('/^App\.hi +- +300 /', $lines[4]);
    }

    public function testCallsOfOneMethodAreShownTogether(): void
    {
        $running = [['method' => 'Http.get', 'seconds' => 3.0], ['method' => '7', 'seconds' => 2.0], ['method' => 'Http.get', 'seconds' => 1.0]];
        $activity = Statuses::look(1.0, [], [Statuses::worker(11, running: $running)]);

        self::assertSame(['2 × Http.get 3.00 s, 7 2.00 s'], array_column($activity->processes, 'running'));
    }

    public function testAnotherBrokerIsNotComparedWithTheOneBefore(): void
    {
        $before = Statuses::look(1.0, [], []);

        self::assertSame(0.0, Statuses::look(3.0, [], [], [], $before)->summary['rate']);
        self::assertNull(Statuses::look(3.0, [], [], ['pid' => 101], $before)->summary['rate']);
    }

    #[TestWith(['methods', 'calls', 'App.hi', 'App.work'])]
    #[TestWith(['methods', 'run_p99', 'App.work', 'App.hi'])]
    #[TestWith(['methods', 'name', 'App.hi', 'App.work'])]
    #[TestWith(['processes', 'memory', '12', '11'])]
    #[TestWith(['processes', 'cpu', '11', '12'])]
    #[TestWith(['processes', 'running', '11', '12'])]
    public function testATableIsSortedByWhatIsChosen(string $table, string $field, string $first, string $second): void
    {
        $view = new View();
        $view->{$table} = $field;
        $text = implode("\n", self::plain(Screen::lines([self::activity()], $view, 200, null)));

        self::assertMatchesRegularExpression("/^ *{$first} .*\\n *{$second} /m", $text);
    }

    public function testOfSeveralWorkersEachIsShownAndOneThatIsGoneSaysWhy(): void
    {
        $gone = new Activity('other', 2.0, TypedMap::of(null), "Cannot connect:\nno \e[2Jsuch file");
        $lines = self::plain(Screen::lines([self::activity(), $gone], new View(), 120, null));

        self::assertMatchesRegularExpression('/^other +gone +- /', $lines[2]);
        self::assertSame('other: no \x1b[2Jsuch file', $lines[3]);
        self::assertMatchesRegularExpression('/^default +App\.hi /', $lines[6]);
        self::assertMatchesRegularExpression('/^default +11 /', $lines[10]);
    }

    public function testAnAppThatCouldNotBeLoadedAgainIsSaid(): void
    {
        $activity = Statuses::look(1.0, [], [], ['reload' => ['state' => 'failed', 'message' => "Traceback:\n  line\nSyntaxError: <no>\n"]]);

        self::assertSame('SyntaxError: <no>', self::plain(Screen::lines([$activity], new View(), 80, null))[2]);
    }

    #[TestWith([200, 50])]
    #[TestWith([79, 24])]
    #[TestWith([60, 14])]
    #[TestWith([40, 10])]
    #[TestWith([20, 5])]
    #[TestWith([1, 1])]
    public function testAFrameFitsItsTerminal(int $width, int $height): void
    {
        $methods = array_map(static fn (int $n): array => Statuses::method("Ünïcode漢字{$n}.a_long_name_of_a_method", $n), range(1, 40));
        $workers = array_map(static fn (int $n): array => Statuses::worker($n, running: [['method' => 'App.<info>', 'seconds' => 1.0]]), range(1000, 1040));
        $activity = Statuses::look(1.0, $methods, $workers);
        $view = new View();
        foreach ([0, 35] as $down) {
            for ($press = 0; $press < $down; $press++) {
                $view->press('down', Screen::processes([$activity], $view));
            }
            $lines = self::plain(Screen::lines([$activity], $view, $width, $height));
            self::assertCount($height, $lines);
            foreach ($lines as $line) {
                self::assertLessThanOrEqual($width, mb_strwidth($line));
            }
        }
        if ($height > 14) {
            self::assertCount(1, (array) preg_grep('/^ *1035 /', $lines), 'the selected one is seen');
            self::assertGreaterThan(3, count((array) preg_grep('/^Ünïcode/', $lines)));
        }
    }

    public function testTheSelectedProcessAndAQuestionStandOut(): void
    {
        $view = new View();
        $activity = self::activity();
        $view->press('down', Screen::processes([$activity], $view));
        $view->press('K', Screen::processes([$activity], $view));
        $formatter = new OutputFormatter(true);
        $lines = array_map(static fn (string $line): string => (string) $formatter->format($line), Screen::lines([$activity], $view, 100, 20));

        self::assertStringStartsWith("\e[30;46m     12  (shared)", (string) $lines[9]);
        self::assertCount(1, (array) preg_grep('/^\e\[30;43mKill 12 at once\?/', $lines));
        self::assertStringContainsString('r recycle  K kill', $lines[18] . $lines[19]);
    }

    public function testAStackIsScrolledThrough(): void
    {
        $view = new View();
        $view->text = ['Stacks', '', ...array_map(static fn (int $n): string => "  File \e[31m{$n}", range(1, 30))];
        $view->press('down', []);
        $view->press('down', []);

        self::assertSame(['  File \x1b[31m1', '  File \x1b[31m2', '  File \x1b[31m3', '↑↓ scroll  q back'], self::plain(Screen::lines([self::activity()], $view, 80, 4)));
    }

    private static function activity(): Activity
    {
        return Statuses::look(
            3.0,
            [Statuses::method('App.hi', 300, ['remote_error' => 2, 'deadline_exceeded' => 1], 2048), Statuses::method('App.work', 10, [], 0, 2.0)],
            [Statuses::worker(11, 200, [['method' => 'App.work', 'seconds' => 3.2]], 3.0), Statuses::worker(12, 10, [], 1.0, 2_097_152)],
            before: Statuses::look(1.0, [Statuses::method('App.hi', 100), Statuses::method('App.work', 0)], [Statuses::worker(11, 100, [], 1.0)]),
        );
    }

    /**
     * @param list<string> $lines
     * @return list<string>
     */
    private static function plain(array $lines): array
    {
        $formatter = new OutputFormatter(false);

        return array_map(static fn (string $line): string => rtrim((string) $formatter->format($line)), $lines);
    }
}
