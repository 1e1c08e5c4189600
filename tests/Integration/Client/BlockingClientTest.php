<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;

use function array_map;

/**
 * @internal
 */
final class BlockingClientTest extends ClientContract
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
