<?php

declare(strict_types=1);

namespace Reasno\GoTask\Observing;

use Throwable;

/**
 * The event of a call that has ended.
 */
final class CallEnded
{
    /**
     * @param string $method as the caller wrote it
     * @param float $seconds from when it was made until its outcome was known to its caller
     * @param null|Throwable $error what its caller got instead of a result
     */
    public function __construct(public readonly string $method, public readonly float $seconds, public readonly ?Throwable $error)
    {
    }
}
