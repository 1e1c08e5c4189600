<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Examples;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\TestCase;

use function sprintf;

/**
 * The example's own tests, in an application that Composer has made: the example's files in a copy of it.
 *
 * @internal
 */
#[CoversNothing]
final class HyperfAppTest extends TestCase
{
    private const EXAMPLE = __DIR__ . '/../../../examples/hyperf-app';

    private const FILES = 'app bin config gotask phpunit.xml.dist test';

    private string $directory = '';

    protected function setUp(): void
    {
        $template = getenv('GOTASK_HYPERF_APP');
        if ($template === false || $template === '') {
            self::markTestSkipped('needs a Hyperf application: tests/Hyperf/make-application DIR, then GOTASK_HYPERF_APP=DIR');
        }
        $this->directory = sys_get_temp_dir() . '/gotask-example-' . bin2hex(random_bytes(4));
        $this->shell(sprintf('cp -a %s %s', escapeshellarg($template), escapeshellarg($this->directory)));
        $this->shell(sprintf('cd %s && rm -rf runtime %s', escapeshellarg($this->directory), self::FILES));
        $this->shell(sprintf('cd %s && cp -R %s %s', escapeshellarg(self::EXAMPLE), self::FILES, escapeshellarg($this->directory)));
    }

    protected function tearDown(): void
    {
        if ($this->directory !== '') {
            $this->shell('rm -rf ' . escapeshellarg($this->directory));
        }
    }

    public function testItsTestsPass(): void
    {
        $php = escapeshellarg(getenv('GOTASK_HYPERF_PHP') ?: PHP_BINARY);
        $output = $this->shell(sprintf('cd %s && %s vendor/bin/co-phpunit --prepend test/bootstrap.php 2>&1', escapeshellarg($this->directory), $php));

        self::assertStringContainsString('OK (11 tests', $output);
        self::assertStringNotContainsString('[WARNING]', $output);
    }

    private function shell(string $command): string
    {
        exec($command, $lines, $code);
        $output = implode("\n", $lines);
        self::assertSame(0, $code, $output);

        return $output;
    }
}
