<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

/**
 * @internal
 */
final class BlockingDurableTest extends DurableContract
{
    use BlockingCallers;
}
