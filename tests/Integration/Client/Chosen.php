<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Reasno\GoTask\Exposed;

/**
 * A service that says which of its methods may be called back.
 */
final class Chosen
{
    #[Exposed]
    public function open(): string
    {
        return 'open';
    }

    public function closed(): string
    {
        return 'closed';
    }
}
