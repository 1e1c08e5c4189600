<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Examples;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\TestCase;

use function sprintf;

/**
 * The examples run as they are.
 *
 * @internal
 */
#[CoversNothing]
final class ExamplesTest extends TestCase
{
    private const EXAMPLES = __DIR__ . '/../../../examples';

    public function testMinimal(): void
    {
        self::assertSame(['["hello" => "Reasno"]'], $this->run_('minimal/minimal.php'));
    }

    public function testQuickstart(): void
    {
        $output = implode("\n", $this->run_('quickstart/quickstart.php'));

        self::assertMatchesRegularExpression('/one at a time   (\d+) primes.*all at once     \1 primes/s', $output);
        self::assertMatchesRegularExpression('/\d+ bytes of PNG, 320 × 256/', $output);
        self::assertStringContainsString('AccessLog.report raised FileNotFoundError', $output);
        self::assertStringContainsString('| Traceback (most recent call last):', $output);
        self::assertStringEndsWith('processes left: 0, sockets left: 0', $output);
    }

    /**
     * @return list<string> the lines that it wrote
     */
    private function run_(string $program): array
    {
        exec(sprintf('%s %s 2>&1', escapeshellarg(PHP_BINARY), escapeshellarg(self::EXAMPLES . "/{$program}")), $lines, $code);
        self::assertSame(0, $code, implode("\n", $lines));

        return $lines;
    }
}
