<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

use Nette\PhpGenerator\Literal;
use Nette\PhpGenerator\PhpNamespace;

use function is_int;
use function is_string;

/**
 * Writes the classes for Python's dataclasses and the like, and the enums.
 *
 * @internal
 *
 * @phpstan-import-type ClassTree from Description
 * @phpstan-import-type FieldTree from Description
 */
final class ValueWriter
{
    public function __construct(private readonly Types $types)
    {
    }

    /**
     * Whether PHP can have it as an enum: all values are texts, or all are integers.
     *
     * @param ClassTree $enum
     */
    public static function canBeEnum(array $enum): bool
    {
        $values = array_column($enum['cases'] ?? [], 'value');

        return $values !== [] && ($values === array_filter($values, is_string(...)) || $values === array_filter($values, is_int(...)));
    }

    /**
     * @param ClassTree $tree
     */
    public function enum(PhpNamespace $namespace, string $name, array $tree): void
    {
        $names = [];
        foreach ($tree['cases'] ?? [] as ['name' => $case, 'value' => $value]) {
            // Further names of a value are no cases of PHP's.
            if (is_int($value) || is_string($value)) {
                $names[$value] ??= Names::case($case);
            }
        }
        $isInt = is_int($tree['cases'][0]['value'] ?? null);
        $enum = $namespace->addEnum($name)->setType($isInt ? 'int' : 'string')->setComment(Code::doc($tree['doc']));
        foreach ($names as $value => $case) {
            $enum->addCase($case, $isInt ? (int) $value : (string) $value);
        }
    }

    /**
     * @param ClassTree $tree
     */
    public function value(PhpNamespace $namespace, string $name, array $tree): void
    {
        $class = $namespace->addClass($name)->setFinal()->setReadOnly()->setComment(Code::doc($tree['doc']))->addImplement('JsonSerializable');
        $fields = $this->fields($tree['fields'] ?? []);
        $constructor = $class->addMethod('__construct')->setPublic();
        foreach (Variable::ordered($fields) as $field) {
            $parameter = $constructor->addPromotedParameter($field->php)->setPublic()->setType($field->type->native());
            if (! $field->required) {
                $parameter->setDefaultValue(new Literal($field->default ?? 'null'));
            }
            $constructor->addComment($field->doc());
        }
        $isTuple = $tree['kind'] === 'named_tuple';
        $class->addMethod('fromResult')->setPublic()->setStatic()->setReturnType('self')
            ->setBody($this->fromResult($tree['fields'] ?? [], $fields, $tree['kind']))
            ->setComment('@param ' . ($isTuple ? 'list<mixed>' : 'array<string, mixed>') . ' $result')
            ->addParameter('result')->setType('array');
        $class->addMethod('jsonSerialize')->setPublic()->setReturnType('array')
            ->setComment('What Python is sent.' . "\n\n" . '@return array<string, mixed>')->setBody(self::serialize($fields));
    }

    /**
     * @param list<FieldTree> $trees
     * @return list<Variable>
     */
    private function fields(array $trees): array
    {
        $variables = Names::variables(array_column($trees, 'name'));

        return array_map(fn (array $tree): Variable => new Variable(
            $tree['name'],
            $variables[$tree['name']],
            $this->types->result($tree['type']),
            $tree['required'],
            $tree['required'] ? null : $this->types->default($tree),
        ), $trees);
    }

    /**
     * @param list<FieldTree> $trees
     * @param list<Variable> $fields
     */
    private function fromResult(array $trees, array $fields, string $kind): string
    {
        $shape = $arguments = [];
        foreach ($fields as $index => $field) {
            $mayMiss = $kind === 'typed_dict' && ! $field->required;
            $type = $mayMiss ? $this->types->result($trees[$index]['type']) : $field->type;
            $shape[] = $kind === 'named_tuple' ? $type->raw->doc() : Code::key($field->name) . ($mayMiss ? '?' : '') . ": {$type->raw->doc()}";
            $offset = '$result[' . Code::value($kind === 'named_tuple' ? $index : $field->name) . ']';
            $arguments[] = "    {$field->php}: " . match (true) {
                ! $mayMiss => $type->converted($offset),
                $type->convert === null => "{$offset} ?? null",
                default => "isset({$offset}) ? {$type->converted($offset)} : null",
            } . ",\n";
        }
        $check = $shape === [] ? '' : '/** @var array{' . implode(', ', $shape) . "} \$result */\n";

        return "{$check}return new self(\n" . implode('', $arguments) . ');';
    }

    /**
     * @param list<Variable> $fields
     */
    private static function serialize(array $fields): string
    {
        $items = $more = '';
        foreach ($fields as $field) {
            $key = Code::value($field->name);
            if ($field->isLeftOut) {
                $more .= "if (\$this->{$field->php} !== null) {\n    \$payload[{$key}] = \$this->{$field->php};\n}\n";
            } else {
                $items .= "    {$key} => \$this->{$field->php},\n";
            }
        }

        return $more === '' ? "return [\n{$items}];" : "\$payload = [\n{$items}];\n{$more}\nreturn \$payload;";
    }
}
