<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use RuntimeException;
use Throwable;

/**
 * The Python side did not start, or was not ready in time.
 */
final class WorkerStartFailed extends RuntimeException implements GoTaskException
{
    /**
     * @param string $stderr the last lines that it wrote to its standard error
     */
    public function __construct(string $message, public readonly string $stderr = '', ?Throwable $previous = null)
    {
        parent::__construct($message, 0, $previous);
    }
}
