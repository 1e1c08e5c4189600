<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\RequiresMethod;
use Revolt\EventLoop;

/**
 * @internal
 */
#[RequiresMethod(EventLoop::class, 'run')]
final class RevoltAccessTest extends AccessContract
{
    use RevoltCallers;
}
