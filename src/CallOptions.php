<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Closure;

/**
 * What goes with the calls of an object whose methods take a Python method's own arguments: `$shop->with(timeout: 2.0)->total($order)`.
 */
trait CallOptions
{
    /** @var array{null|float, null|Closure(Progress): mixed, null|iterable<mixed>|resource, null|int|string, array<array-key, string>} */
    private array $options = [null, null, null, null, []];

    /**
     * A copy of this object, whose calls have these as well.
     *
     * @param null|float $timeout seconds
     * @param null|Closure(Progress): mixed $onProgress as for GoTask::call()
     * @param null|iterable<mixed>|resource $input as for GoTask::call(); a generator is for one call
     * @param null|int|string $key as for GoTask::call()
     * @param array<array-key, string> $headers as for GoTask::call()
     */
    public function with(?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): static
    {
        [$before, $callback, $iterable, $same, $sent] = $this->options;
        $copy = clone $this;
        $copy->options = [$timeout ?? $before, $onProgress ?? $callback, $input ?? $iterable, $key ?? $same, $headers + $sent];

        return $copy;
    }
}
