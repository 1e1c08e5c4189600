<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;

use function array_map;

/**
 * Callers that run one after the other.
 */
trait BlockingCallers
{
    protected static function oneAtATime(): bool
    {
        return true;
    }

    protected function inRuntime(Closure $body): void
    {
        $body();
    }

    protected function concurrently(array $bodies): array
    {
        return array_map(static fn (Closure $body): mixed => $body(), $bodies);
    }
}
