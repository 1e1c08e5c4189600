<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

use Closure;

use function is_string;

/**
 * A column of a table: which field of the rows it shows, and how.
 *
 * @internal
 * @phpstan-import-type Row from Activity
 */
final class Column
{
    /**
     * @param null|Closure(float): string $show for numbers, which stand at the right; null: it holds text
     * @param string $key that sorts by it; empty: none does
     * @param null|string $sort the field that it is sorted by; null: its own
     * @param null|Closure(float|string): string $style of Symfony's for a value; empty: none
     * @param bool $isPlace it holds names or addresses
     * @param bool $isExtra it is left out where the terminal is narrow
     */
    public function __construct(
        public readonly string $field,
        public readonly string $title,
        public readonly ?Closure $show = null,
        public readonly string $key = '',
        public readonly ?string $sort = null,
        public readonly ?Closure $style = null,
        public readonly bool $isPlace = false,
        public readonly bool $isExtra = false,
    ) {
    }

    /**
     * @param Row $row
     */
    public function text(array $row): string
    {
        $value = $row[$this->field] ?? null;

        return match (true) {
            is_string($value) => $value,
            $value === null => '-',
            default => $this->show === null ? (string) $value : ($this->show)($value),
        };
    }

    /**
     * @param Row $row
     */
    public function style(array $row): string
    {
        $value = $row[$this->field] ?? null;

        return $this->style === null || $value === null ? '' : ($this->style)($value);
    }

    /**
     * Text from A, numbers from the highest.
     *
     * @param Row $a
     * @param Row $b
     */
    public function compare(array $a, array $b): int
    {
        $field = $this->sort ?? $this->field;

        return $this->show === null && $this->sort === null ? ($a[$field] ?? '') <=> ($b[$field] ?? '') : ($b[$field] ?? -1.0) <=> ($a[$field] ?? -1.0);
    }
}
