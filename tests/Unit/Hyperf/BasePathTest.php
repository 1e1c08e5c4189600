<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Hyperf;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Hyperf\Config\BasePath;

/**
 * @internal
 */
#[CoversClass(BasePath::class)]
final class BasePathTest extends TestCase
{
    private string $root;

    protected function setUp(): void
    {
        $this->root = (string) realpath(sys_get_temp_dir()) . '/base-' . bin2hex(random_bytes(4));
        mkdir("{$this->root}/releases/1/bin", 0o700, true);
        mkdir("{$this->root}/releases/2/bin", 0o700, true);
        symlink("{$this->root}/releases/1", "{$this->root}/current");
    }

    protected function tearDown(): void
    {
        exec('rm -r ' . escapeshellarg($this->root));
    }

    public function testALinkThatTheApplicationWasStartedThroughIsKept(): void
    {
        $real = "{$this->root}/releases/1";

        self::assertSame("{$this->root}/current", BasePath::through("{$this->root}/current/bin/hyperf.php", '', $real));
        self::assertSame("{$this->root}/current", BasePath::through("{$this->root}/current/./bin/hyperf.php", '', $real));
        self::assertSame($real, BasePath::through("{$real}/bin/hyperf.php", '', $real));
    }

    public function testARelativeScriptIsOneOfTheShellsDirectory(): void
    {
        $real = "{$this->root}/releases/1";
        $before = (string) getcwd();
        chdir($real);
        try {
            foreach (['bin/hyperf.php', './bin/hyperf.php'] as $script) {
                self::assertSame("{$this->root}/current", BasePath::through($script, "{$this->root}/current", $real));
                self::assertSame($real, BasePath::through($script, "{$this->root}/releases/2", $real), 'it has changed since');
                self::assertSame($real, BasePath::through($script, '', $real));
            }
        } finally {
            chdir($before);
        }
    }

    public function testAnotherScriptThanTheApplicationsSaysNothing(): void
    {
        $real = "{$this->root}/releases/1";

        foreach (["{$this->root}/current/vendor/bin/phpunit", "{$this->root}/releases/2/bin/hyperf.php", '', '-', '/'] as $script) {
            self::assertSame($real, BasePath::through($script, '', $real));
        }
    }
}
