<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

/**
 * A parameter of a method, or a field of a class, as a parameter in PHP.
 *
 * @internal
 */
final class Variable
{
    /** What says that Python's own default is meant, which PHP can't have: null, and the argument is left out. */
    public readonly bool $isLeftOut;

    /** Whether it takes all further arguments. */
    public readonly bool $isVariadic;

    public readonly PhpType $type;

    /**
     * @param string $name Python's
     * @param string $php without the dollar sign
     * @param null|string $default as code; null: there is none in PHP
     * @param string $kind of a parameter, as GoTask.Describe has it, or `list`: what PHP takes as a list of Python's further arguments
     */
    public function __construct(
        public readonly string $name,
        public readonly string $php,
        PhpType $type,
        public readonly bool $required,
        public readonly ?string $default = null,
        public readonly string $kind = '',
    ) {
        $this->isVariadic = $kind === 'variadic' || $kind === 'variadic_named';
        $this->isLeftOut = ! $required && $default === null && ! $this->isVariadic;
        $this->type = $this->isLeftOut ? $type->orNull() : $type;
    }

    /**
     * The line of a docblock that says what the signature does not, or ''.
     */
    public function doc(): string
    {
        $note = implode('; ', array_filter([$this->type->note, $this->isLeftOut ? 'null leaves it out' : '']));

        return $this->type->tag('@param', ($this->isVariadic ? '...$' : '$') . $this->php, $note);
    }

    /**
     * Those that are required first, and what takes all further arguments last, as PHP has it.
     *
     * @param list<self> $variables
     * @return list<self>
     */
    public static function ordered(array $variables): array
    {
        usort($variables, static fn (self $one, self $other): int => [$one->isVariadic, ! $one->required] <=> [$other->isVariadic, ! $other->required]);

        return $variables;
    }
}
