<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Examples;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Tests\Python;

use function array_diff;
use function count;
use function is_resource;

/**
 * The recipes run as they are.
 *
 * @internal
 */
#[CoversNothing]
final class RecipesTest extends TestCase
{
    private const RECIPES = __DIR__ . '/../../../examples/recipes';

    /**
     * @param string $needs Python modules
     * @param list<string> $expected patterns, one for each line
     */
    #[DataProvider('recipes')]
    public function testARecipe(string $recipe, string $needs, array $expected): void
    {
        self::require($needs);
        exec(implode(' ', array_map(escapeshellarg(...), [PHP_BINARY, self::RECIPES . "/{$recipe}.php"])) . ' 2>&1', $lines, $code);

        self::assertSame(0, $code, implode("\n", $lines));
        foreach ($expected as $number => $pattern) {
            self::assertMatchesRegularExpression("/^{$pattern}$/", $lines[$number] ?? '', implode("\n", $lines));
        }
        self::assertCount(count($expected), $lines, implode("\n", $lines));
    }

    /**
     * @return iterable<string, array{string, string, list<string>}>
     */
    public static function recipes(): iterable
    {
        yield 'thumbnails' => ['thumbnails', 'PIL', [
            "cut-off.jpg: this picture can't be read: .*",
            'sideways.jpg: 320 × 213 for 320, \d{4} bytes',
            'sideways.jpg: 96 × 64 for 96, \d{3} bytes',
            'round.png: 320 × 320 for 320, \d+ bytes',
            'round.png: 96 × 96 for 96, \d+ bytes',
        ]];
        yield 'a report' => ['report', 'pandas openpyxl', [
            'North  2026-01   267   1665.30', 'North  2026-02   163   1151.40', 'North  2026-03   143    994.50',
            'South  2026-01   276   1692.30', 'South  2026-02   288   1572.70', 'South  2026-03   291   1501.80',
            'West   2026-01   135    867.60', 'West   2026-02   133    775.10', 'West   2026-03   164   1144.10',
            '360 rows, \{"South":4766.8,"North":3811.2,"West":2786.8\}',
            'a workbook of [4-9]\d{3} bytes',
        ]];
        yield 'a model' => ['flowers', 'sklearn', [
            'setosa, 9\d % sure, model \w{8}, scikit-learn \S+',
            'setosa, virginica',
            'flower.petal_width: .*"wide" is no float; send a number such as 1.5',
        ]];
        yield 'a PDF' => ['pdf', 'pypdf', ['1\/3: Dear reader,', '2\/3: this letter has three pages,', '3\/3: and here it ends.']];
    }

    public function testALongJobThatIsEndedByCtrlCLeavesNothingBehind(): void
    {
        $folder = sys_get_temp_dir() . '/gotask-recipe-' . bin2hex(random_bytes(4));
        mkdir("{$folder}/in", recursive: true);
        $file = fopen("{$folder}/in/large", 'w');
        self::assertIsResource($file);
        ftruncate($file, 8 << 30);    // without a block on the disk
        fclose($file);
        $program = proc_open([PHP_BINARY, self::RECIPES . '/archive.php', "{$folder}/in", "{$folder}/out.zip"], [['file', '/dev/null', 'r'], ['pipe', 'w'], STDERR], $pipes);

        try {
            self::assertIsResource($program);
            self::assertIsResource($pipes[1]);
            self::assertMatchesRegularExpression('/^\r\[#* *\] +\d+ % large/', (string) fread($pipes[1], 1000));
            proc_terminate($program, SIGINT);
            self::assertStringEndsWith("\nended by Ctrl-C\n", (string) stream_get_contents($pipes[1]));
            self::assertSame(['in'], array_values(array_diff(scandir($folder) ?: [], ['.', '..'])));
        } finally {
            if (is_resource($program)) {
                proc_terminate($program);
                proc_close($program);
            }
            exec('rm -rf ' . escapeshellarg($folder));
        }
    }

    private static function require(string $modules): void
    {
        exec(escapeshellarg(Python::path()) . ' -c ' . escapeshellarg('import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, "' . $modules . '".split())))') . ' 2>&1', $_, $code);
        if ($code !== 0) {
            self::markTestSkipped("Python lacks one of: {$modules}");
        }
    }
}
