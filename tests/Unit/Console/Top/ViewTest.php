<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Console\Top;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Console\Top\Keys;
use Reasno\GoTask\Console\Top\View;

/**
 * What keys do.
 *
 * @internal
 */
#[CoversClass(Keys::class)]
#[CoversClass(View::class)]
final class ViewTest extends TestCase
{
    public function testKeysHaveTheirNames(): void
    {
        self::assertSame(['up', 'down', 'up', 'j', 'K', 'escape', 'ctrl-c', 'page-down', "\e[1;5C", 'q'], Keys::of("\e[A\e[B\eOAjK\e\x03\e[6~\e[1;5Cq"));
    }

    public function testArrowsSelectAProcessAndItStaysSelectedWhereverItGoes(): void
    {
        $view = new View();
        self::assertSame(['recycle', self::process(1)], $view->press('r', self::processes(1, 2, 3)));
        $view->press('down', self::processes(1, 2, 3));
        self::assertSame(['stack', self::process(2)], $view->press('d', self::processes(3, 2, 1)));
        self::assertSame(2, $view->selected(self::processes(3, 1, 2)));
        $view->press('k', self::processes(3, 1, 2));
        self::assertSame(['recycle', self::process(1)], $view->press('r', self::processes(1, 2, 3)));
        $view->press('up', self::processes(1, 2, 3));
        self::assertSame(0, $view->selected(self::processes(1, 2, 3)));
    }

    public function testTheOneThatTakesThePlaceOfOneThatIsGoneIsSelected(): void
    {
        $view = new View();
        $view->press('j', self::processes(1, 2, 3));

        self::assertSame(1, $view->selected(self::processes(1, 4, 3)));
        self::assertSame(0, $view->selected(self::processes(1)));
        self::assertNull($view->selected([]));
        self::assertSame(['', null], $view->press('r', []));
    }

    public function testOnlyAfterAYesTheProcessIsKilledThatWasAskedAbout(): void
    {
        $view = new View();
        self::assertSame(['', null], $view->press('K', self::processes(1, 2)));
        self::assertSame(['', null], $view->press('n', self::processes(1, 2)));
        $view->press('K', self::processes(1, 2));
        self::assertSame(['kill', self::process(1)], $view->press('y', self::processes(5, 2)));
        self::assertSame(['', null], $view->press('y', self::processes(1, 2)));
        $view->press('K', self::processes(1, 2));
        self::assertSame(['', null], $view->press('r', self::processes(1, 2)));
    }

    public function testAKeySortsTheTablesThatHaveItsColumn(): void
    {
        $view = new View();
        $view->press('m', []);
        self::assertSame(['rate', 'memory'], [$view->methods, $view->processes]);
        $view->press('x', []);
        self::assertSame(['run_p99', 'running'], [$view->methods, $view->processes]);
        $view->press('?', []);
        self::assertSame(['run_p99', 'running'], [$view->methods, $view->processes]);
    }

    public function testCtrlCQuitsWhateverIsSeen(): void
    {
        $view = new View();
        self::assertSame(['quit', null], $view->press('q', []));
        $view->text = ['a', 'b'];
        self::assertSame(['', null], $view->press('q', []), 'q leaves the text');
        self::assertNull($view->text);
        $view->text = ['a', 'b'];
        self::assertSame(['quit', null], $view->press('ctrl-c', []));
    }

    /**
     * @return list<array<string, float|string>>
     */
    private static function processes(int ...$pids): array
    {
        return array_values(array_map(self::process(...), $pids));
    }

    /**
     * @return array<string, float|string>
     */
    private static function process(int $pid): array
    {
        return ['worker' => 'default', 'pid' => (float) $pid];
    }
}
