<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Stringable;

/**
 * A body that is handed to the method as it is: no codec touches it, and Python gets it as `bytes`. The result of such a
 * call must be bytes, too, and arrives as a string.
 */
final class Raw implements Stringable
{
    public function __construct(public readonly string $bytes)
    {
    }

    public function __toString(): string
    {
        return $this->bytes;
    }
}
