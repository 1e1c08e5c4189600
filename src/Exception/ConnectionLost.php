<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Throwable;

/**
 * The connection ended before the answer came.
 */
final class ConnectionLost extends TransportFailed
{
    /**
     * @param bool $sent whether any byte of the call had been written: if so, the method may have run,
     *                   and only an idempotent one should be called again; one that is declared so in Python was, in vain
     */
    public function __construct(string $message, public readonly bool $sent, ?Throwable $previous = null)
    {
        parent::__construct($message, $previous);
    }
}
