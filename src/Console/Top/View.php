<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

use function count;
use function explode;
use function max;
use function min;
use function rtrim;

/**
 * What someone looks at: how the tables are sorted, which process is selected, whether a question or a text is before him. Keys
 * change it.
 *
 * @internal
 * @phpstan-import-type Row from Activity
 */
final class View
{
    /** The field by which the methods are sorted, and that for the processes. */
    public string $methods = 'rate';

    public string $processes = 'service';

    /** What the last action came to. */
    public string $message = '';

    /** @var null|Row the process of which is asked whether it is to be killed; it stays this one when it is gone meanwhile */
    public ?array $asking = null;

    /** @var null|list<string> lines that are shown in the place of the tables */
    public ?array $text = null;

    /** The first of these lines that is seen. */
    public int $scroll = 0;

    private string $worker = '';

    private float $pid = 0.0;

    /** Where the selected process was: the one that takes its place is selected when it is gone. */
    private int $place = 0;

    /**
     * @param list<Row> $rows
     * @param list<Column> $columns
     * @return list<Row>
     */
    public static function sort(array $rows, array $columns, string $field): array
    {
        foreach ($columns as $column) {
            if ($column->field === $field) {
                usort($rows, $column->compare(...));
            }
        }

        return $rows;
    }

    /**
     * @param list<Row> $processes as they are shown
     * @return null|int which of them is selected; null: there are none
     */
    public function selected(array $processes): ?int
    {
        foreach ($processes as $place => $process) {
            if ($process['worker'] === $this->worker && $process['pid'] === $this->pid) {
                return $place;
            }
        }

        return $processes === [] ? null : min($this->place, count($processes) - 1);
    }

    /**
     * @param string $key as Keys names it
     * @param list<Row> $processes as they are shown
     * @return array{string, null|Row} what is to be done: quit; recycle, kill or stack with a process, failures with one of the
     *                                 worker's; empty: nothing more
     */
    public function press(string $key, array $processes): array
    {
        if ($key === 'ctrl-c') {
            return ['quit', null];
        }
        if ($this->text !== null) {
            $this->turn($key, $this->text);

            return ['', null];
        }
        if ($this->asking !== null) {
            [$asked, $this->asking] = [$this->asking, null];

            return $key === 'y' ? ['kill', $asked] : ['', null];
        }
        $this->message = '';
        $place = $this->selected($processes);
        $move = match ($key) {
            'up', 'k' => -1,
            'down', 'j' => 1,
            default => 0,
        };
        if ($place !== null) {
            // What is looked at is selected from then on, wherever sorting puts it.
            $this->place = max(0, min(count($processes) - 1, $place + $move));
            $this->worker = (string) $processes[$this->place]['worker'];
            $this->pid = (float) $processes[$this->place]['pid'];
        }
        if ($key === 'K' && $place !== null) {
            $this->asking = $processes[$place];
        }
        $this->methods = self::field(Tables::methods(), $key) ?? $this->methods;
        $this->processes = self::field(Tables::processes(), $key) ?? $this->processes;

        return match (true) {
            $key === 'q' => ['quit', null],
            $key === 'r' && $place !== null => ['recycle', $processes[$place]],
            $key === 'd' && $place !== null => ['stack', $processes[$place]],
            $key === 'f' && $place !== null => ['failures', $processes[$place]],
            default => ['', null],
        };
    }

    /** Shows a text in the place of the tables. */
    public function read(string $text): void
    {
        $this->text = explode("\n", rtrim($text));
        $this->scroll = 0;
    }

    /**
     * @param list<string> $text
     */
    private function turn(string $key, array $text): void
    {
        $this->scroll = max(0, min(count($text) - 1, $this->scroll + match ($key) {
            'up', 'k' => -1,
            'down', 'j' => 1,
            'page-up' => -20,
            'page-down', ' ' => 20,
            default => 0,
        }));
        if ($key === 'q' || $key === 'escape' || $key === 'd' || $key === 'f') {
            $this->text = null;
        }
    }

    /**
     * @param list<Column> $columns
     */
    private static function field(array $columns, string $key): ?string
    {
        foreach ($columns as $column) {
            if ($column->key === $key) {
                return $column->field;
            }
        }

        return null;
    }
}
