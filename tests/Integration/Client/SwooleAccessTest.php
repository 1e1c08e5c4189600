<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use PHPUnit\Framework\Attributes\RequiresPhpExtension;

/**
 * @internal
 */
#[RequiresPhpExtension('swoole')]
final class SwooleAccessTest extends AccessContract
{
    use SwooleCallers;

    public function testAnAddressThatWasSetAsideIsAskedThroughTlsWhetherItAnswers(): void
    {
        self::markTestSkipped('A worker that starts meanwhile would have to be started in a coroutine.');
    }

    protected static function verifiesAddresses(): bool
    {
        return false;
    }
}
