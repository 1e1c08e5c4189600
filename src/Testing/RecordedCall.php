<?php

declare(strict_types=1);

namespace Reasno\GoTask\Testing;

/**
 * A call that a FakeGoTask was given.
 */
final class RecordedCall
{
    /**
     * @param mixed $payload as the worker would have got it: encoded and decoded again; for an Args `[positional, named]`
     * @param null|float $timeout seconds, as the caller gave it
     * @param bool $notification whether it was made by notify()
     * @param null|string $form Args or Raw, where the payload was one of these
     * @param string $exact the same for all payloads of a form that the worker could not tell apart
     * @param null|int|string $key as the caller gave it
     * @param array<array-key, string> $headers as the caller gave them
     */
    public function __construct(
        public readonly string $method,
        public readonly mixed $payload,
        public readonly ?float $timeout,
        public readonly bool $notification,
        public readonly ?string $form = null,
        public readonly string $exact = '',
        public readonly null|int|string $key = null,
        public readonly array $headers = [],
    ) {
    }
}
