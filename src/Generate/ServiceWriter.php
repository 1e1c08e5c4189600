<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

use Nette\PhpGenerator\ClassType;
use Nette\PhpGenerator\Literal;
use Nette\PhpGenerator\PhpNamespace;
use Reasno\GoTask\CallOptions;

use function count;
use function in_array;

/**
 * Writes the classes whose methods call those of a service.
 *
 * @internal
 *
 * @phpstan-import-type MethodTree from Description
 */
final class ServiceWriter
{
    /**
     * @param null|array{string, string} $worker see Generator::classes()
     */
    public function __construct(private readonly Types $types, private readonly string $signatures, private readonly ?array $worker)
    {
    }

    /**
     * @param list<MethodTree> $methods
     */
    public function service(PhpNamespace $namespace, string $name, string $service, array $methods): void
    {
        $class = $namespace->addClass($name);
        $class->addComment($service === '' ? 'Functions of the Python worker.' : "The Python service {$service}.");
        $namespace->addUse(CallOptions::class);
        $class->addTrait('CallOptions');
        $constructor = $class->addMethod('__construct')->setPublic();
        if ($this->worker === null) {
            $constructor->addPromotedParameter('task')->setPrivate()->setReadOnly()->setType('GoTask');
        } else {
            $class->addProperty('task')->setPrivate()->setReadOnly()->setType('GoTask');
            [$factory, $name] = $this->worker;
            $namespace->addUse($factory);
            $constructor->addBody('$this->task = $workers->get(' . Code::value($name) . ');')->addParameter('workers')->setType(substr((string) strrchr($factory, '\\'), 1));
        }
        $constructor->addBody('$this->task->expectSignatures(' . Code::value($this->signatures) . ');');
        foreach ($methods as $method) {
            $this->method($class, $method);
        }
    }

    /**
     * @param MethodTree $tree
     */
    private function method(ClassType $class, array $tree): void
    {
        $method = $class->addMethod(Names::camel(substr((string) strrchr(".{$tree['name']}", '.'), 1)))->setPublic();
        $parameters = $this->parameters($tree);
        $doc = [];
        foreach (Variable::ordered($parameters) as $parameter) {
            $variable = $method->addParameter($parameter->php)->setType($parameter->type->native());
            $method->setVariadic($parameter->isVariadic);
            if (! $parameter->required && ! $parameter->isVariadic) {
                $variable->setDefaultValue(new Literal($parameter->default ?? 'null'));
            }
            $doc[] = $parameter->doc();
        }
        $call = Code::value($tree['name']) . ', ' . ($parameters === [] ? 'null' : self::arguments($parameters)) . ', ...$this->options';
        $element = $tree['stream'] ? $this->types->element($tree['returns']) : null;
        $result = $element === null ? $this->types->result($tree['returns']) : PhpType::of('iterable', "iterable<{$element->doc()}>");
        if ($result->native === ['null']) {
            $method->setReturnType('void')->setBody("\$this->task->call({$call});");
        } else {
            $doc[] = $result->tag('@return', '', $result->note);
            $method->setReturnType($result->native())
                ->setBody($element === null ? self::returned("\$this->task->call({$call})", $result) : self::streamed("\$this->task->stream({$call})", $element));
        }
        $doc[] = '@throws GoTaskException';
        $method->setComment(trim(Code::doc($tree['doc']) . "\n\n" . implode("\n", array_filter($doc))));
    }

    /**
     * @param MethodTree $tree
     * @return list<Variable> in Python's order; what takes all further arguments is the last one
     */
    private function parameters(array $tree): array
    {
        $names = Names::variables(array_column($tree['parameters'], 'name'));
        $kinds = array_column($tree['parameters'], 'kind');
        $parameters = $further = [];
        foreach ($tree['parameters'] as $parameter) {
            $type = $this->types->argument($parameter['type']);
            $name = $parameter['name'];
            if ($parameter['kind'] === 'variadic' && in_array('named_only', $kinds, true)) {
                // PHP has nothing behind what takes all further arguments.
                $parameters[] = new Variable($name, $names[$name], PhpType::of('array', "list<{$type->doc()}>"), false, '[]', 'list');
            } elseif ($parameter['kind'] === 'variadic' || $parameter['kind'] === 'variadic_named') {
                $further[] = new Variable($name, $names[$name], $type, false, null, $parameter['kind']);
            } else {
                $parameters[] = new Variable($name, $names[$name], $type, $parameter['required'], $this->types->default($parameter), $parameter['kind']);
            }
        }
        if (count($further) === 2) {
            // PHP's takes both kinds.
            $further = [new Variable($further[0]->name, $further[0]->php, PhpType::union([$further[0]->type, $further[1]->type]), false, null, 'variadic')];
        }

        return [...$parameters, ...$further];
    }

    /**
     * What Python is given: by position as far as nothing is left out that Python takes by name, too.
     *
     * @param list<Variable> $parameters
     */
    private static function arguments(array $parameters): string
    {
        $kinds = array_map(static fn (Variable $parameter): string => $parameter->kind, $parameters);
        $onlyByPosition = in_array('variadic', $kinds, true) || in_array('list', $kinds, true);
        $positional = $spread = $maps = $named = [];
        $closing = '';
        $byName = false;
        foreach ($parameters as $parameter) {
            $value = "\${$parameter->php}";
            $byName = $byName || $parameter->kind === 'named_only' || $parameter->kind === 'positional' && $parameter->isLeftOut && ! $onlyByPosition;
            if ($parameter->kind === 'variadic' || $parameter->kind === 'list') {
                $positional[] = "...{$value}";
            } elseif ($parameter->kind === 'variadic_named') {
                $maps[] = "...{$value}";
            } elseif (! $byName) {
                $positional[] = $parameter->isLeftOut ? "...({$value} === null ? [] : [{$value}" : $value;
                $closing .= $parameter->isLeftOut ? '])' : '';
            } elseif ($parameter->isLeftOut) {
                $maps[] = "...({$value} === null ? [] : [" . Code::value($parameter->name) . " => {$value}])";
            } else {
                $named[] = "{$parameter->name}: {$value}";
            }
        }

        return 'new Args(' . implode(', ', array_filter([implode(', ', $positional) . $closing, ...$maps, ...$named])) . ')';
    }

    private static function returned(string $call, PhpType $result): string
    {
        return match (true) {
            $result->native === ['mixed'] => "return {$call};",
            $result->convert === null => "/** @var {$result->doc()} */\nreturn {$call};",
            default => "/** @var {$result->raw->doc()} \$result */\n\$result = {$call};\n\nreturn {$result->converted('$result')};",
        };
    }

    private static function streamed(string $call, PhpType $element): string
    {
        return $element->convert === null
            ? "/** @var iterable<{$element->doc()}> */\nreturn {$call};"
            : "/** @var iterable<{$element->raw->doc()}> \$stream */\n\$stream = {$call};\nforeach (\$stream as \$element) {\n    yield {$element->converted('$element')};\n}";
    }
}
