<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use DomainException;
use Reasno\GoTask\Client;

/**
 * What methods call back in tests, and what they must not.
 */
final class Numbers
{
    public ?Client $client = null;

    public int $called = 0;

    /** @var null|Closure(): mixed what happens while a method waits for hang() */
    public ?Closure $onHang = null;

    public function __get(string $name): string
    {
        return 'magic';
    }

    public static function reset(): string
    {
        return 'static';
    }

    public function _hidden(): string
    {
        return 'hidden';
    }

    public function next(int $number): int
    {
        $this->called++;

        return $number + 1;
    }

    public function addAll(int $first, int ...$others): int
    {
        return $first + array_sum($others);
    }

    public function named(string $first, string $last = ''): string
    {
        return "{$last}, {$first}";
    }

    /**
     * @return array<mixed>
     */
    public function deep(int $level): array
    {
        return ['PHP', ...(array) $this->client?->call('Back.deep', $level)];
    }

    /**
     * @return array<mixed>
     */
    public function deepAsync(int $level): array
    {
        return ['PHP', ...(array) $this->client?->call('Back.deep_async', $level)];
    }

    public function fail(): void
    {
        throw new DomainException('as told', 7);
    }

    public function closure(): Closure
    {
        return static fn (): int => 1;
    }

    public function hang(): void
    {
        if ($this->onHang !== null) {
            ($this->onHang)();
        }
    }

    private function mine(): string // @phpstan-ignore method.unused (nobody can reach it)
    {
        return 'private';
    }
}
