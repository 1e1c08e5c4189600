<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use RuntimeException;
use Throwable;

/**
 * There is no way to the worker, or it broke. The calls on it fail with this; the next call tries a new connection.
 */
abstract class TransportFailed extends RuntimeException implements GoTaskException
{
    public function __construct(string $message, ?Throwable $previous = null)
    {
        parent::__construct($message, 0, $previous);
    }
}
