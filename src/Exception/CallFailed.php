<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use RuntimeException;
use Throwable;

/**
 * A call that has no result: the worker or the broker answered it with an error, or it was given up here.
 */
abstract class CallFailed extends RuntimeException implements GoTaskException
{
    /**
     * @param string $message what happened, to what, and what to do about it
     * @param string $method the method that was called
     * @param array<array-key, mixed> $data what belongs to the error; docs/protocol.md lists the keys of each code
     */
    public function __construct(
        string $message,
        public readonly string $method = '',
        public readonly array $data = [],
        ?Throwable $previous = null,
    ) {
        parent::__construct($message, 0, $previous);
    }
}
