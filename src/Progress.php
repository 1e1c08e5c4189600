<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use function is_float;
use function is_int;
use function is_string;

/**
 * How far a method says that it is: `gotask.current_call().progress(0.3, "reading", data)`.
 */
final class Progress
{
    /**
     * @param null|float $fraction how much of it is done, as a rule 0 … 1; null: the method does not know
     * @param string $text what it does
     * @param mixed $data whatever else it tells
     */
    public function __construct(
        public readonly ?float $fraction,
        public readonly string $text = '',
        public readonly mixed $data = null,
    ) {
    }

    /**
     * @internal
     * @param array<array-key, mixed> $values fraction, text and data, as a worker sends them
     */
    public static function of(array $values): self
    {
        [$fraction, $text, $data] = $values + [null, '', null];

        return new self(is_int($fraction) || is_float($fraction) ? (float) $fraction : null, is_string($text) ? $text : '', $data);
    }
}
