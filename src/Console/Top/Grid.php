<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

use Reasno\GoTask\Console\Terminal;
use Symfony\Component\Console\Formatter\OutputFormatter;

use function count;
use function in_array;
use function max;
use function mb_strimwidth;
use function mb_strwidth;
use function min;
use function rtrim;
use function str_repeat;

/**
 * Draws a table into so many columns of a terminal. Where it is too wide, it first goes without its extra columns; then it is
 * cut, first of all in some columns.
 *
 * @internal
 * @phpstan-import-type Row from Activity
 */
final class Grid
{
    private const GAP = 2;

    /** Columns of a terminal that those keep which are cut first, and those that they have before extra ones are shown. */
    private const LEAST = 12;

    private const ENOUGH = 24;

    private const SELECTED = 'fg=black;bg=cyan';

    /**
     * @param list<Column> $columns
     * @param list<Row> $rows
     * @param list<string> $wide the fields that are cut first
     * @param string $sorted the field that the rows are sorted by
     * @param null|int $selected which row; null: none can be
     * @return non-empty-list<string> with Symfony's tags; the first one holds the titles
     */
    public static function lines(array $columns, array $rows, int $width, array $wide, string $sorted = '', ?int $selected = null): array
    {
        $cells = [array_map(static fn (Column $column): string => $column->title . ($column->field === $sorted ? '▾' : ''), $columns)];
        foreach ($rows as $row) {
            $cells[] = array_map(static fn (Column $column): string => Terminal::plain($column->text($row)), $columns);
        }
        $widths = [];
        foreach ($columns as $place => $column) {
            $widths[$place] = max(array_map(static fn (array $row): int => mb_strwidth($row[$place], 'UTF-8'), $cells));
        }
        if (self::total($columns, $widths, $wide, self::ENOUGH) > $width) {
            foreach (array_reverse($columns, true) as $place => $column) {
                if ($column->isExtra && $column->field !== $sorted) {
                    return self::lines(array_values(array_diff_key($columns, [$place => $column])), $rows, $width, $wide, $sorted, $selected);
                }
            }
        }
        $widths = self::fit($columns, $widths, $width, $wide);
        $lines = [self::line($columns, $cells[0], $widths, $width, null, 'options=bold')];
        foreach ($rows as $number => $row) {
            $lines[] = self::line($columns, $cells[$number + 1], $widths, $width, $row, $number === $selected ? self::SELECTED : '');
        }

        return $lines;
    }

    /** Text of others as one line of at most so many columns. */
    public static function cut(string $text, int $width, string $style = ''): string
    {
        $cut = OutputFormatter::escape(mb_strimwidth(Terminal::plain($text), 0, max(0, $width), '…', 'UTF-8'));

        return $style === '' || $cut === '' ? $cut : "<{$style}>{$cut}</>";
    }

    /**
     * @param list<Column> $columns
     * @param array<int, int> $widths
     * @param list<string> $wide
     * @return int columns of a terminal that all take when those that are cut first have so many at most
     */
    private static function total(array $columns, array $widths, array $wide, int $most): int
    {
        $total = self::GAP * (count($columns) - 1);
        foreach ($columns as $place => $column) {
            $total += in_array($column->field, $wide, true) ? min($widths[$place], $most) : $widths[$place];
        }

        return $total;
    }

    /**
     * @param list<Column> $columns
     * @param array<int, int> $widths
     * @param list<string> $wide
     * @return array<int, int>
     */
    private static function fit(array $columns, array $widths, int $width, array $wide): array
    {
        $over = self::total($columns, $widths, [], 0) - $width;
        foreach (array_keys(array_intersect(array_column($columns, 'field'), $wide)) as $place) {
            $less = max(0, min($over, $widths[$place] - self::LEAST));
            $widths[$place] -= $less;
            $over -= $less;
        }

        return $widths;
    }

    /**
     * @param list<Column> $columns
     * @param list<string> $cells
     * @param array<int, int> $widths
     * @param null|Row $row null: the titles
     * @param string $style of the whole line; else each cell has its own
     */
    private static function line(array $columns, array $cells, array $widths, int $width, ?array $row, string $style): string
    {
        $line = '';
        $used = 0;
        foreach ($columns as $place => $column) {
            $room = min($widths[$place], $width - $used);
            if ($room <= 0) {
                break;
            }
            $text = $column->isPlace ? self::end($cells[$place], $room) : mb_strimwidth($cells[$place], 0, $room, '…', 'UTF-8');
            $space = str_repeat(' ', $room - mb_strwidth($text, 'UTF-8'));
            $cellStyle = $style === '' && $row !== null ? $column->style($row) : '';
            $text = OutputFormatter::escape($text);
            $text = $cellStyle === '' ? $text : "<{$cellStyle}>{$text}</>";
            $line .= $column->show === null ? $text . $space : $space . $text;
            $used += $room;
            $gap = $place < count($columns) - 1 ? min(self::GAP, $width - $used) : 0;
            $line .= str_repeat(' ', $gap);
            $used += $gap;
        }

        return match ($style) {
            '' => rtrim($line, ' '),
            // It is seen from edge to edge.
            self::SELECTED => "<{$style}>{$line}" . str_repeat(' ', max(0, $width - $used)) . '</>',
            default => "<{$style}>{$line}</>",
        };
    }

    /** What a place ends with tells it from others. */
    private static function end(string $text, int $width): string
    {
        for ($cut = $text; mb_strwidth($cut, 'UTF-8') > $width; $text = mb_substr($text, 1, null, 'UTF-8')) {
            $cut = '…' . mb_substr($text, 1, null, 'UTF-8');
        }

        return $cut;
    }
}
