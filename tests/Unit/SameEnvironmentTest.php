<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\Attributes\Depends;
use PHPUnit\Framework\TestCase;

use function getenv;
use function putenv;

/**
 * @internal
 */
#[CoversNothing]
final class SameEnvironmentTest extends TestCase
{
    public function testATestMaySetAndRemoveVariables(): string
    {
        $path = (string) getenv('PATH');
        putenv('GOTASK_ADDED=1');
        putenv('PATH');
        self::assertFalse(getenv('PATH'));

        return $path;
    }

    #[Depends('testATestMaySetAndRemoveVariables')]
    public function testTheNextOneFindsThemAsTheyWere(string $path): void
    {
        self::assertFalse(getenv('GOTASK_ADDED'));
        self::assertSame($path, getenv('PATH'));
    }
}
