<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

use function array_key_exists;
use function count;
use function is_array;
use function is_bool;
use function is_float;
use function is_int;
use function is_scalar;
use function is_string;
use function sprintf;

/**
 * The types of Python that GoTask.Describe tells, as PHP's: what a parameter takes, what a result or a field is.
 *
 * @internal
 */
final class Types
{
    private const DATE = 'a date, 2026-01-31';
    private const TIME = 'a time of day, 12:30:00';
    private const SECONDS = 'seconds';
    private const EXACT = 'a number, exact';

    /**
     * @param array<string, string> $names of the generated classes, by those of Python's classes
     */
    public function __construct(private readonly Description $description, private readonly array $names)
    {
    }

    /**
     * @param array<array-key, mixed> $tree
     */
    public function argument(array $tree): PhpType
    {
        return $this->of($tree, true);
    }

    /**
     * @param array<array-key, mixed> $tree
     */
    public function result(array $tree): PhpType
    {
        return $this->of($tree, false);
    }

    /**
     * What a stream gives.
     *
     * @param array<array-key, mixed> $tree
     */
    public function element(array $tree): PhpType
    {
        return self::form($tree) === 'iterator' ? $this->result(self::inner($tree)) : PhpType::of('mixed');
    }

    /**
     * @param array{default?: mixed, type: array<array-key, mixed>} $tree of a parameter or a field
     * @return null|string its default as PHP code; null: it has none, or one that PHP can't have
     */
    public function default(array $tree): ?string
    {
        return array_key_exists('default', $tree) ? $this->value($tree['type'], $tree['default']) : null;
    }

    /**
     * @param array<array-key, mixed> $tree
     * @return null|string null: the value is none of the type's
     */
    private function value(array $tree, mixed $value): ?string
    {
        $of = self::inner($tree);

        return match (self::form($tree)) {
            'any' => Code::value($value),
            'null' => $value === null ? 'null' : null,
            'bool' => is_bool($value) ? Code::value($value) : null,
            'int' => is_int($value) ? Code::value($value) : null,
            'float', 'timedelta' => is_int($value) || is_float($value) ? Code::value($value) : null,
            // One without a time zone means the worker's, which PHP does not know.
            'datetime' => is_string($value) && preg_match('/(Z|[+-][\d:]+)$/', substr($value, 10)) === 1 ? 'new DateTimeImmutable(' . Code::value($value) . ')' : null,
            'literal' => is_scalar($value) ? Code::value($value) : null,
            'list', 'iterator' => is_array($value) ? $this->values(array_fill(0, count($value), $of), array_values($value)) : null,
            'tuple' => is_array($value) ? $this->values(array_map(self::tree(...), array_values($of)), array_values($value)) : null,
            'map' => is_array($value) ? $this->values(array_fill_keys(array_keys($value), self::tree($of[1] ?? null)), $value) : null,
            'union' => $this->firstOf(array_map(self::tree(...), array_values($of)), $value),
            'class' => $this->instance(self::name($tree), $value),
            default => is_string($value) ? Code::value($value) : null,
        };
    }

    /**
     * @param array<array-key, mixed> $tree
     */
    private function of(array $tree, bool $taken): PhpType
    {
        $of = self::inner($tree);

        return match (self::form($tree)) {
            'null', 'bool', 'int' => PhpType::of(self::form($tree)),
            'float' => new PhpType(['float'], $taken ? ['float', 'int'] : ['float']),
            'str', 'uuid', 'path' => PhpType::of('string'),
            'bytes' => $taken ? new PhpType(['Bytes', 'string'], ['Bytes', 'string']) : PhpType::of('string'),
            // One without a time zone comes as text, and is of PHP's default zone.
            'datetime' => $taken ? PhpType::of('DateTimeInterface') : new PhpType(
                ['DateTimeImmutable'],
                ['DateTimeImmutable'],
                new PhpType(['DateTimeImmutable', 'string'], ['DateTimeImmutable', 'string']),
                static fn (string $expression): string => "{$expression} instanceof DateTimeImmutable ? {$expression} : new DateTimeImmutable({$expression})",
            ),
            'date' => PhpType::of('string', note: self::DATE),
            'time' => PhpType::of('string', note: self::TIME),
            'timedelta' => PhpType::of('float', note: self::SECONDS),
            'decimal' => $taken
                ? new PhpType(['int', 'string'], ['int', 'string'], note: self::EXACT)
                : PhpType::of('string', 'numeric-string', self::EXACT),
            'list' => self::each('list<%s>', $this->of($of, $taken), 'array'),
            'iterator' => self::each($taken ? 'iterable<%s>' : 'list<%s>', $this->of($of, $taken), $taken ? 'iterable' : 'array'),
            'map' => self::each('array<' . $this->key($of) . ', %s>', $this->of(self::tree($of[1] ?? null), $taken), 'array'),
            'tuple' => self::tuple(array_map(fn (mixed $each): PhpType => $this->of(self::tree($each), $taken), array_values($of))),
            'union' => PhpType::union($this->members($tree, $taken) ?: [PhpType::of('mixed')]),
            'literal' => self::literal(array_values($of)),
            'class' => $this->instanceOf(self::name($tree), $taken),
            default => PhpType::of('mixed'),
        };
    }

    /**
     * @param string $doc with a place for the element's
     */
    private static function each(string $doc, PhpType $item, string $native): PhpType
    {
        return new PhpType(
            [$native],
            [sprintf($doc, $item->doc())],
            PhpType::of($native, sprintf($doc, $item->raw->doc())),
            $item->convert === null ? null : static fn (string $expression): string => "array_map({$item->converter()}, {$expression})",
        );
    }

    /**
     * @param list<PhpType> $items
     */
    private static function tuple(array $items): PhpType
    {
        $converted = array_filter($items, static fn (PhpType $item): bool => $item->convert !== null);

        return new PhpType(
            ['array'],
            ['array{' . implode(', ', array_map(static fn (PhpType $item): string => $item->doc(), $items)) . '}'],
            PhpType::of('array', 'array{' . implode(', ', array_map(static fn (PhpType $item): string => $item->raw->doc(), $items)) . '}'),
            $converted === [] ? null : static fn (string $expression): string => '[' . implode(', ', array_map(
                static fn (PhpType $item, int $index): string => $item->converted("{$expression}[{$index}]"),
                $items,
                array_keys($items),
            )) . ']',
        );
    }

    /**
     * @param array<array-key, mixed> $map its keys' type and its values'
     */
    private function key(array $map): string
    {
        $key = $this->of(self::tree($map[0] ?? null), false)->raw;

        return array_diff($key->native, ['int', 'string']) === [] && $key->native !== [] ? $key->doc() : 'array-key';
    }

    /**
     * Of a union.
     *
     * @param array<array-key, mixed> $tree
     * @return list<PhpType>
     */
    private function members(array $tree, bool $taken): array
    {
        $types = $classes = [];
        foreach (self::inner($tree) as $each) {
            $each = self::tree($each);
            $types[] = $this->of($each, $taken);
            $class = self::form($each) === 'class' ? $this->description->classes[self::name($each)] ?? null : null;
            if ($class !== null && ! $taken && $class['kind'] !== 'enum' && $class['kind'] !== 'named_tuple') {
                $classes[$this->names[self::name($each)]] = $class;
            }
        }
        $alternatives = count($classes) > 1 ? Alternatives::of($classes) : null;

        return $alternatives === null ? $types : [
            ...array_values(array_filter($types, static fn (PhpType $type): bool => ! isset($classes[$type->native()]))),
            $alternatives,
        ];
    }

    /**
     * @param list<mixed> $values
     */
    private static function literal(array $values): PhpType
    {
        $types = [];
        foreach ($values as $value) {
            $types[] = match (true) {
                $value === null => PhpType::of('null'),
                is_bool($value) => PhpType::of('bool', $value ? 'true' : 'false'),
                is_int($value) => PhpType::of('int', (string) $value),
                is_string($value) => PhpType::of('string', Code::quoted($value)),
                default => PhpType::of('mixed'),
            };
        }

        return PhpType::union($types ?: [PhpType::of('mixed')]);
    }

    private function instanceOf(string $name, bool $taken): PhpType
    {
        $class = $this->description->classes[$name] ?? null;
        $php = $this->names[$name] ?? null;
        if ($class === null) {
            return PhpType::of('mixed');
        }
        if ($php === null) {
            // An enum that PHP can't have: what its members are instead.
            return self::literal(array_column($class['cases'] ?? [], 'value'));
        }
        $raw = match ($class['kind']) {
            'enum' => PhpType::of(is_int($class['cases'][0]['value'] ?? null) ? 'int' : 'string'),
            'named_tuple' => PhpType::of('array', 'list<mixed>'),
            default => PhpType::of('array', 'array<string, mixed>'),
        };
        $method = $class['kind'] === 'enum' ? 'from' : 'fromResult';

        return new PhpType([$php], [$php], $taken ? null : $raw, $taken ? null : static fn (string $expression): string => "{$php}::{$method}({$expression})");
    }

    private function instance(string $name, mixed $value): ?string
    {
        $class = $this->description->classes[$name] ?? null;
        $php = $this->names[$name] ?? null;
        if ($php === null || $class === null) {
            return null;
        }
        foreach ($class['cases'] ?? [] as $case) {
            if ($case['value'] === $value) {
                return "{$php}::" . Names::case($case['name']);
            }
        }
        if ($class['kind'] === 'enum' || ! is_array($value)) {
            return null;
        }
        $arguments = [];
        $variables = Names::variables(array_column($class['fields'] ?? [], 'name'));
        foreach ($class['fields'] ?? [] as $field) {
            if (! isset($value[$field['name']]) && $field['required'] === false) {
                continue;
            }
            $argument = $this->value($field['type'], $value[$field['name']] ?? null);
            if ($argument === null) {
                return null;
            }
            $arguments[] = "{$variables[$field['name']]}: {$argument}";
        }

        return "new {$php}(" . implode(', ', $arguments) . ')';
    }

    /**
     * @param list<array<array-key, mixed>> $members
     */
    private function firstOf(array $members, mixed $value): ?string
    {
        foreach ($members as $member) {
            $code = $this->value($member, $value);
            if ($code !== null) {
                return $code;
            }
        }

        return null;
    }

    /**
     * @param array<array-key, array<array-key, mixed>> $trees
     * @param array<array-key, mixed> $values
     */
    private function values(array $trees, array $values): ?string
    {
        $codes = [];
        foreach ($values as $key => $value) {
            $code = isset($trees[$key]) ? $this->value(self::tree($trees[$key]), $value) : null;
            if ($code === null) {
                return null;
            }
            $codes[] = array_is_list($values) ? $code : Code::value($key) . " => {$code}";
        }

        return '[' . implode(', ', $codes) . ']';
    }

    /**
     * @param array<array-key, mixed> $tree
     */
    private static function form(array $tree): string
    {
        $form = (string) array_key_first($tree);

        return $form === 'type' ? self::name($tree) : $form;
    }

    /**
     * @param array<array-key, mixed> $tree
     */
    private static function name(array $tree): string
    {
        $name = reset($tree);

        return is_string($name) ? $name : '';
    }

    /**
     * What is in it: a tree, or a list.
     *
     * @param array<array-key, mixed> $tree
     * @return array<array-key, mixed>
     */
    private static function inner(array $tree): array
    {
        return self::tree(reset($tree));
    }

    /**
     * @return array<array-key, mixed>
     */
    private static function tree(mixed $tree): array
    {
        return is_array($tree) ? $tree : [];
    }
}
