<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use function is_array;
use function is_float;
use function is_int;
use function is_scalar;

/**
 * A map that came from a worker, read with types: what is missing or another type is the type's zero.
 *
 * @internal
 */
final class TypedMap
{
    /**
     * @param array<array-key, mixed> $fields
     */
    private function __construct(public readonly array $fields)
    {
    }

    public static function of(mixed $value): self
    {
        return new self(is_array($value) ? $value : []);
    }

    /**
     * @return list<self>
     */
    public static function list(mixed $value): array
    {
        return array_map(self::of(...), array_values(is_array($value) ? $value : []));
    }

    public function text(string $key): string
    {
        $value = $this->fields[$key] ?? '';

        return is_scalar($value) ? (string) $value : '';
    }

    /** The text, fit for a line of a terminal. */
    public function shown(string $key): string
    {
        return Terminal::line($this->text($key));
    }

    public function number(string $key): float
    {
        $value = $this->fields[$key] ?? 0.0;

        return is_int($value) || is_float($value) ? (float) $value : 0.0;
    }

    public function flag(string $key): bool
    {
        return ($this->fields[$key] ?? false) === true;
    }

    public function map(string $key): self
    {
        return self::of($this->fields[$key] ?? null);
    }

    /**
     * @return array<array-key, float> all of its fields
     */
    public function numbers(): array
    {
        return array_map(static fn (mixed $value): float => is_int($value) || is_float($value) ? (float) $value : 0.0, $this->fields);
    }

    /**
     * @return list<string>
     */
    public function texts(string $key): array
    {
        $value = $this->fields[$key] ?? [];

        return array_values(array_filter(is_array($value) ? $value : [], is_string(...)));
    }

    /**
     * @return list<self>
     */
    public function records(string $key): array
    {
        return self::list($this->fields[$key] ?? []);
    }
}
