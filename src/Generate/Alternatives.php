<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

use function count;
use function is_array;
use function sprintf;

/**
 * Tells the classes of a union apart by the map that arrives: by a field that has another Literal in each, or by one that only this
 * class has.
 *
 * @internal
 *
 * @phpstan-import-type ClassTree from Description
 */
final class Alternatives
{
    /**
     * @param non-empty-array<string, ClassTree> $classes by the names of PHP's classes, at least two
     * @return null|PhpType null: they can't be told apart
     */
    public static function of(array $classes): ?PhpType
    {
        $tests = self::tags($classes) ?? self::ownFields($classes);
        if ($tests === null) {
            return null;
        }
        $last = array_key_last($tests);

        return new PhpType(array_keys($classes), array_keys($classes), PhpType::of('array', 'array<string, mixed>'), static function (string $expression) use ($tests, $last): string {
            $code = '';
            foreach ($tests as $class => $test) {
                $condition = $class === $last ? 'default' : sprintf($test, $expression);
                $code .= "    {$condition} => {$class}::fromResult({$expression}),\n";
            }

            return "match (true) {\n{$code}}";
        });
    }

    /**
     * @param non-empty-array<string, ClassTree> $classes
     * @return null|array<string, string> a condition for each, with a place for the expression
     */
    private static function tags(array $classes): ?array
    {
        foreach ($classes[array_key_first($classes)]['fields'] ?? [] as ['name' => $name]) {
            $values = [];
            foreach ($classes as $class => $tree) {
                $literal = array_column($tree['fields'] ?? [], 'type', 'name')[$name]['literal'] ?? null;
                if (is_array($literal) && count($literal) === 1) {
                    $values[$class] = Code::value(reset($literal));
                }
            }
            if (count(array_unique($values)) === count($classes)) {
                return array_map(static fn (string $value): string => '%1$s[' . strtr(Code::value($name), ['%' => '%%']) . '] === ' . strtr($value, ['%' => '%%']), $values);
            }
        }

        return null;
    }

    /**
     * @param non-empty-array<string, ClassTree> $classes
     * @return null|array<string, string> a condition for each, with a place for the expression
     */
    private static function ownFields(array $classes): ?array
    {
        $tests = [];
        foreach ($classes as $class => $tree) {
            // Of all but a TypedDict every field arrives.
            $fields = array_column(array_filter($tree['fields'] ?? [], static fn (array $field): bool => $field['required'] || $tree['kind'] !== 'typed_dict'), 'name');
            $others = array_map(static fn (array $other): array => array_column($other['fields'] ?? [], 'name'), array_values(array_diff_key($classes, [$class => 0])));
            $own = array_values(array_diff($fields, ...$others))[0] ?? null;
            if ($own !== null) {
                $tests[$class] = 'array_key_exists(' . strtr(Code::value($own), ['%' => '%%']) . ', %1$s)';
            }
        }
        $rest = array_diff_key($classes, $tests);
        if (count($rest) > 1) {
            return null;
        }
        // One without a field of its own is what none of the others is.
        $tests += array_map(static fn (): string => '', $rest);

        return $tests;
    }
}
