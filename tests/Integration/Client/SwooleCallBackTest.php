<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use Swoole\Coroutine;

/**
 * @internal
 */
#[RequiresPhpExtension('swoole')]
final class SwooleCallBackTest extends CallBackContract
{
    use SwooleCallers;

    protected static function pause(): void
    {
        Coroutine::sleep(0.001);
    }
}
