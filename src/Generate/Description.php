<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

use function is_array;

/**
 * What a worker tells of its methods and of the classes that they take and give: the reply to GoTask.Describe, as docs/protocol.md has it.
 *
 * @phpstan-type ParameterTree array{name: string, kind: string, required: bool, default?: mixed, type: array<string, mixed>}
 * @phpstan-type FieldTree array{name: string, required: bool, default?: mixed, type: array<string, mixed>}
 * @phpstan-type MethodTree array{name: string, doc: string, stream: bool, parameters: list<ParameterTree>, returns: array<string, mixed>}
 * @phpstan-type ClassTree array{kind: string, name: string, doc: string, fields?: list<FieldTree>, cases?: list<array{name: string, value: mixed}>}
 *
 * @internal
 */
final class Description
{
    public const METHOD = 'GoTask.Describe';

    /**
     * @param string $signatures a hash of all of it but the docstrings
     * @param list<MethodTree> $methods
     * @param array<string, ClassTree> $classes by their names in Python
     */
    private function __construct(
        public readonly string $signatures,
        public readonly array $methods,
        public readonly array $classes,
    ) {
    }

    public static function of(mixed $reply): self
    {
        /** @var array{signatures?: string, methods?: list<MethodTree>, classes?: array<string, ClassTree>} $reply */
        $reply = is_array($reply) ? $reply : [];

        return new self($reply['signatures'] ?? '', $reply['methods'] ?? [], $reply['classes'] ?? []);
    }
}
