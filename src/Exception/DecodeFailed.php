<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Throwable;
use UnexpectedValueException;

/**
 * A body that is malformed, or that holds what PHP can't.
 */
final class DecodeFailed extends UnexpectedValueException implements GoTaskException
{
    public function __construct(string $message, ?Throwable $previous = null)
    {
        parent::__construct($message, 0, $previous);
    }
}
