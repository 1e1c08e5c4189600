<?php

declare(strict_types=1);

namespace Reasno\GoTask\Codec;

/**
 * A map whose keys are all sent as text, as those of a JSON object are: PHP's arrays make integers of such as "1".
 *
 * @internal
 */
final class TextKeys
{
    /**
     * @param array<mixed> $values
     */
    public function __construct(public readonly array $values)
    {
    }
}
