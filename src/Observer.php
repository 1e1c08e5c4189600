<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Closure;
use Throwable;

/**
 * Is told of each call of a client, and may add headers to it. See docs/tracing.md.
 *
 * What it throws when a call begins comes out of that call, which is not made. What it throws when one ends is logged.
 */
interface Observer
{
    /**
     * A call is about to be made.
     *
     * @param array<array-key, string> $headers of the call; those that are added go with it, and a call with headers goes by the broker
     * @return null|Closure(?Throwable): void is called once when the call has ended: with the exception that its caller gets, or null; also
     *                                        where nobody waited for it. Null: this call is not observed
     */
    public function begin(string $method, array &$headers): ?Closure;
}
