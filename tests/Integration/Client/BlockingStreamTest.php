<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

/**
 * @internal
 */
final class BlockingStreamTest extends StreamContract
{
    use BlockingCallers;

    protected static function pause(): void
    {
        usleep(1000);
    }
}
