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
        return $this->text('signature');
    }

    /**
     * @return null|string the argument that is of the wrong type, and the place in it, such as `order.items[0].price`; null where something else does not fit
     */
    public function getArgument(): ?string
    {
        return $this->text('argument');
    }

    private function text(string $key): ?string
    {
        $text = $this->data[$key] ?? null;

        return is_string($text) ? $text : null;
    }
}
