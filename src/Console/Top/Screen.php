<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

use function array_slice;
use function count;
use function max;
use function mb_strwidth;
use function min;

/**
 * Draws a view of what workers do, into so many columns and lines of a terminal.
 *
 * @internal
 * @phpstan-import-type Row from Activity
 */
final class Screen
{
    /** Each of these begins a line of its own. */
    private const KEYS = [
        ['sort', 'c calls', 't total', 'e errors', 'w wait', 'x run', 'b bytes', 'm mem', 'u CPU', 'n name'],
        ['process', '↑↓ select', 'r recycle', 'K kill', 'd stack', 'f failures', '', 'q quit'],
    ];

    /** Lines of each table that are kept before the other one gets more than its share. */
    private const LEAST = 3;

    /**
     * @param array<Activity> $workers
     * @param null|int $lines null: as many as it takes
     * @return list<string> with Symfony's tags, at most $lines
     */
    public static function lines(array $workers, View $view, int $width, ?int $lines): array
    {
        if ($view->text !== null) {
            return self::text($view->text, $view->scroll, $width, $lines ?? count($view->text) + 1);
        }
        $head = self::head($workers, $width);
        $footer = $lines === null ? [] : self::footer($view, $width);
        [$methods, $processes] = self::tables($workers, $view, $width, $lines === null ? null : $lines - count($head) - count($footer));
        $body = [...$head, ...$methods, ...$processes];

        return $lines === null ? $body : [
            ...array_slice([...$body, ...array_fill(0, max(0, $lines - count($body)), '')], 0, max(0, $lines - count($footer))),
            ...array_slice($footer, -$lines),
        ];
    }

    /**
     * @param array<Activity> $workers
     * @return list<Row> in the order in which they are shown
     */
    public static function processes(array $workers, View $view): array
    {
        $rows = array_merge(...array_column($workers, 'processes'));

        return View::sort($rows, Tables::processes(), $view->processes);
    }

    /**
     * @param array<Activity> $workers
     * @return list<string>
     */
    private static function head(array $workers, int $width): array
    {
        $lines = Grid::lines(Tables::workers(), array_column($workers, 'summary'), $width, ['worker']);
        foreach ($workers as $worker) {
            foreach ($worker->failures as $failure) {
                // Of Python's traceback the last line says the most.
                $lines[] = Grid::cut((count($workers) > 1 ? "{$worker->summary['worker']}: " : '') . substr((string) strrchr("\n" . trim($failure), "\n"), 1), $width, 'fg=red');
            }
        }

        return $lines;
    }

    /**
     * @param array<Activity> $workers
     * @return array{list<string>, list<string>}
     */
    private static function tables(array $workers, View $view, int $width, ?int $lines): array
    {
        // Where there is one worker alone, nothing need say whose it is.
        $first = count($workers) > 1 ? 0 : 1;
        $methods = View::sort(array_merge(...array_column($workers, 'methods')), Tables::methods(), $view->methods);
        $processes = self::processes($workers, $view);
        [$forMethods, $forProcesses] = [count($methods), count($processes)];
        if ($lines !== null) {
            $room = max(0, $lines - 4); // an empty line and titles for each
            $forProcesses = min($forProcesses, max($room - $forMethods, intdiv($room, 2), min(self::LEAST, $room)));
            $forMethods = min($forMethods, $room - $forProcesses);
        }
        $selected = $lines === null ? null : $view->selected($processes);
        $top = max(0, min(count($processes) - $forProcesses, ($selected ?? 0) - intdiv($forProcesses, 2)));
        $tables = [[], []];
        if ($methods !== []) {
            $tables[0] = ['', ...Grid::lines(array_slice(Tables::methods(), $first), array_slice($methods, 0, $forMethods), $width, ['name', 'worker'], $view->methods)];
        }
        if ($processes !== []) {
            $tables[1] = ['', ...Grid::lines(
                array_slice(Tables::processes(), $first),
                array_slice($processes, $top, $forProcesses),
                $width,
                ['running', 'worker'],
                $view->processes,
                $selected === null ? null : $selected - $top,
            )];
        }

        return $tables;
    }

    /**
     * @return list<string>
     */
    private static function footer(View $view, int $width): array
    {
        $footer = [$view->asking === null
            ? Grid::cut($view->message, $width, 'fg=yellow')
            : Grid::cut("Kill {$view->asking['pid']} at once? What it runs fails as WorkerCrashed. y: kill it; any other key: no", $width, 'fg=black;bg=yellow')];
        foreach (self::KEYS as $keys) {
            $line = '';
            foreach ($keys as $key) {
                if ($line !== '' && mb_strwidth("{$line}  {$key}", 'UTF-8') > $width) {
                    $footer[] = Grid::cut($line, $width, 'fg=gray');
                    $line = '';
                }
                $line .= ($line === '' ? '' : '  ') . $key;
            }
            $footer[] = Grid::cut($line, $width, 'fg=gray');
        }

        return $footer;
    }

    /**
     * @param list<string> $text
     * @return list<string>
     */
    private static function text(array $text, int $scroll, int $width, int $lines): array
    {
        $shown = array_map(static fn (string $line): string => Grid::cut($line, $width), array_slice($text, $scroll, max(0, $lines - 1)));

        return [...$shown, ...array_fill(0, max(0, $lines - 1 - count($shown)), ''), Grid::cut('↑↓ scroll  q back', $width, 'fg=gray')];
    }
}
