<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

use Closure;

use function count;
use function in_array;
use function sprintf;

/**
 * A type of Python as PHP has it: each of its alternatives for a signature and for PHPStan, and how a result becomes it.
 *
 * @internal
 */
final class PhpType
{
    /** @var list<string> */
    public readonly array $native;

    /** @var list<string> */
    public readonly array $doc;

    /** Of what arrives, before it is converted. */
    public readonly self $raw;

    /**
     * @param list<string> $native for a signature
     * @param list<string> $doc for PHPStan
     * @param null|Closure(string): string $convert makes this of the expression of what arrives, which is a variable or an offset of
     *                                              one; null: they are the same
     * @param string $note what a text or a number stands for
     */
    public function __construct(
        array $native,
        array $doc,
        ?self $raw = null,
        public readonly ?Closure $convert = null,
        public readonly string $note = '',
    ) {
        $this->native = self::sorted($native);
        $this->doc = self::sorted($doc);
        $this->raw = $raw ?? $this;
    }

    public static function of(string $native, ?string $doc = null, string $note = ''): self
    {
        return new self([$native], [$doc ?? $native], note: $note);
    }

    public function native(): string
    {
        return count($this->native) === 2 && $this->native[0] === 'null' ? "?{$this->native[1]}" : implode('|', $this->native);
    }

    public function doc(): string
    {
        return implode('|', $this->doc);
    }

    /**
     * For a docblock's @param or @return: where the signature says float, PHP makes one of an integer, which it does not within a list.
     *
     * @param string $what the rest of the tag
     * @return string the tag; '' where it says no more than the signature
     */
    public function tag(string $tag, string $what, string $note): string
    {
        $doc = in_array('int', $this->native, true) || ! in_array('float', $this->native, true) ? $this->doc : array_diff($this->doc, ['int']);

        return $note !== '' || array_diff($doc, $this->native) !== [] ? implode(' ', array_filter([$tag, implode('|', $doc), $what, $note])) : '';
    }

    public function isNullable(): bool
    {
        return $this->native === ['mixed'] || in_array('null', $this->native, true);
    }

    public function orNull(): self
    {
        return $this->isNullable() ? $this : self::union([$this, self::of('null')]);
    }

    public function converted(string $expression): string
    {
        return $this->convert === null ? $expression : ($this->convert)($expression);
    }

    /**
     * What a function has to be that is given each element.
     */
    public function converter(): string
    {
        $code = $this->converted('$item');

        return preg_match('/^(\w+::\w+)\(\$item\)$/u', $code, $method) === 1
            ? "{$method[1]}(...)"
            : "static fn ({$this->raw->native()} \$item): {$this->native()} => {$code}";
    }

    /**
     * Only one member may need to be converted, and has to be told from the others by what arrives. Else the members stay what arrives.
     *
     * @param non-empty-list<self> $members
     */
    public static function union(array $members): self
    {
        $raw = array_map(static fn (self $member): self => $member->raw, $members);
        $arrives = new self(self::merged($raw, 'native'), self::merged($raw, 'doc'));
        $converted = array_values(array_filter($members, static fn (self $member): bool => $member->convert !== null));
        $others = array_merge(...array_map(static fn (self $member): array => $member->convert === null ? $member->native : [], $members));
        $native = self::merged($members, 'native');
        $note = count($members) > 1 ? implode('', array_unique(array_map(static fn (self $member): string => $member->note, $members))) : $members[0]->note;
        if ($converted === []) {
            return new self($native, self::merged($members, 'doc'), note: $note);
        }
        $one = $converted[0];
        if ($others === [] && count($converted) === 1) {
            return $one;
        }
        // What arrives as one of several types is told from null only.
        $isOfSeveral = count($one->raw->native) > 1;
        if (count($converted) > 1 || array_intersect($others, [...$one->raw->native, 'mixed', 'iterable']) !== [] || $isOfSeveral && $others !== ['null']) {
            return $arrives;
        }
        $is = match (true) {
            $isOfSeveral => '%1$s === null ? null : (%2$s)',
            $others === ['null'] => '%1$s === null ? null : %2$s',
            default => "is_{$one->raw->native[0]}(%1\$s) ? %2\$s : %1\$s",
        };

        return new self($native, self::merged($members, 'doc'), $arrives, static fn (string $expression): string => sprintf($is, $expression, $one->converted($expression)), $note);
    }

    /**
     * @param list<self> $members
     * @return list<string>
     */
    private static function merged(array $members, string $which): array
    {
        $all = array_merge(...array_map(static fn (self $member): array => $which === 'native' ? $member->native : $member->doc, $members));

        return in_array('mixed', $all, true) ? ['mixed'] : array_values(array_filter(
            $all,
            // PHP takes these for redundant.
            static fn (string $type): bool => ! ($type === 'array' && in_array('iterable', $all, true)),
        ));
    }

    /**
     * @param list<string> $types
     * @return list<string>
     */
    private static function sorted(array $types): array
    {
        $types = array_values(array_unique($types));
        usort($types, static fn (string $one, string $other): int => [$one !== 'null', strtolower($one)] <=> [$other !== 'null', strtolower($other)]);

        return $types;
    }
}
