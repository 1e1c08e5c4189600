<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Generate;

use InvalidArgumentException;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Generate\Folder;

/**
 * @internal
 */
#[CoversClass(Folder::class)]
final class FolderTest extends TestCase
{
    private string $project;

    protected function setUp(): void
    {
        $this->project = sys_get_temp_dir() . '/gotask-folder-' . bin2hex(random_bytes(6));
        mkdir($this->project);
        file_put_contents("{$this->project}/composer.json", json_encode(['autoload' => ['psr-4' => ['App\\' => 'app/', 'App\Python\Ml\\' => ['ml'], 'Own\\' => '']]]));
    }

    protected function tearDown(): void
    {
        unlink("{$this->project}/composer.json");
        rmdir($this->project);
    }

    public function testItIsWhereComposerHasTheNamespace(): void
    {
        self::assertSame("{$this->project}/app/Python", Folder::of('App\Python', $this->project)->path);
        self::assertSame("{$this->project}/app", Folder::of('App', $this->project)->path);
        self::assertSame("{$this->project}/ml", Folder::of('App\Python\Ml', $this->project)->path);
        self::assertSame("{$this->project}/Deep/Er", Folder::of('Own\Deep\Er', $this->project)->path);
    }

    public function testANamespaceThatComposerDoesNotHave(): void
    {
        $this->expectException(InvalidArgumentException::class);
        $this->expectExceptionMessage('does not say where Apple\Python is (autoload, psr-4): give --output');
        Folder::of('Apple\Python', $this->project);
    }
}
