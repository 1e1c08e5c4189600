<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Stringable;

/**
 * Bytes that Python is to get as `bytes` rather than `str`, alone or anywhere within a payload.
 *
 * A string goes as text. `bytes` in a result arrive in PHP as a string.
 */
final class Bytes implements Stringable
{
    public function __construct(public readonly string $bytes)
    {
    }

    public function __toString(): string
    {
        return $this->bytes;
    }
}
