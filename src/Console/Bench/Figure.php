<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Bench;

use function sprintf;

/**
 * One thing measured, and what it is to be.
 *
 * @internal
 */
final class Figure
{
    /**
     * @param string $key for programs
     * @param string $name for people
     * @param null|float $atMost the target, where less is better
     * @param null|float $atLeast the target, where more is better
     */
    public function __construct(
        public readonly string $key,
        public readonly string $name,
        public readonly float $value,
        public readonly string $unit,
        public readonly ?float $atMost = null,
        public readonly ?float $atLeast = null,
    ) {
    }

    /** Null where there is no target. */
    public function isMet(): ?bool
    {
        return match (true) {
            $this->atMost !== null => $this->value <= $this->atMost,
            $this->atLeast !== null => $this->value >= $this->atLeast,
            default => null,
        };
    }

    public function target(): string
    {
        return match (true) {
            $this->atMost !== null => sprintf('≤ %s', self::number($this->atMost)),
            $this->atLeast !== null => sprintf('≥ %s', self::number($this->atLeast)),
            default => '',
        };
    }

    public function text(): string
    {
        return trim(self::number($this->value) . ' ' . $this->unit);
    }

    private static function number(float $value): string
    {
        return match (true) {
            $value >= 1000 => number_format($value),
            $value >= 100 => sprintf('%.0f', $value),
            default => sprintf('%.3g', $value),
        };
    }
}
