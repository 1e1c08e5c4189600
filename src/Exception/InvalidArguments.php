<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use function is_string;

/**
 * The payload does not fit the method's parameters. The method has not run.
 */
final class InvalidArguments extends CallFailed
{
    /**
     * @return null|string the method's signature as Python writes it, where the worker knows it
     */
    public function getSignature(): ?string
    {
        $signature = $this->data['signature'] ?? null;

        return is_string($signature) ? $signature : null;
    }
}
