<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit;

use FilesystemIterator;
use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\TestCase;
use RecursiveDirectoryIterator;
use RecursiveIteratorIterator;
use SplFileInfo;

use function array_unique;
use function count;
use function dirname;
use function explode;
use function in_array;
use function preg_match_all;
use function str_starts_with;
use function strlen;
use function strtr;
use function substr;
use function substr_count;

/**
 * Which room of src/ may use which: downwards only; what docblocks name counts, too.
 *
 * @internal
 */
#[CoversNothing]
final class ArchitectureTest extends TestCase
{
    /** What each room may use, beside itself and what is under all rooms. Status is Process/Status/, a room of its own since Pool looks there. */
    private const BELOW = [
        'Goridge' => [],
        'Codec' => ['Goridge'],
        'Protocol' => ['Codec', 'Goridge'],
        'Runtime' => ['Protocol'],
        'Status' => [],
        'Pool' => ['Runtime', 'Protocol', 'Goridge', 'Status'],
        'Calling' => ['Pool', 'Runtime', 'Protocol', 'Codec', 'Goridge'],
        'Client' => ['Calling', 'Pool', 'Protocol', 'Codec', 'Goridge'],
        'Process' => ['Status'],
        'Generate' => [],
        'Console' => ['Client', 'Generate', 'Process', 'Runtime', 'Status', 'Codec'],
        'Hyperf' => ['Console', 'Client', 'Process', 'Status'],
        'Testing' => ['Calling', 'Protocol', 'Codec', 'Goridge'],
        'Observing' => [],
    ];

    /** Values are what lies at the top of src/, but for Client. */
    private const UNDER_ALL = ['values', 'Exception', 'Platform'];

    /** Where users find what is theirs; all else is `@internal`. */
    private const PUBLIC = '~^(\w+|Exception\\\\\w+|PHPStan\\\\\w+|(Observing|Testing)\\\\\w+|Process\\\WorkerProcess|Console\\\Application'
        . '|Hyperf\\\(ConfigProvider|GoTaskFactory|Health|PrivateWorkers|(Annotation|Command|Event|Exception)\\\\\w+|Process\\\SupervisorProcess))$~';

    private const MAX_LINES = 400;

    public function testArrowsLeadDownwardsOnly(): void
    {
        $upwards = [];
        foreach (self::arrows() as [$class, $used]) {
            [$from, $to] = [self::room($class), self::room($used)];
            if (! in_array($to, [$from, ...self::BELOW[$from] ?? [], ...self::UNDER_ALL], true)) {
                $upwards[] = "{$class} uses {$used}";
            }
        }

        self::assertSame([], $upwards);
    }

    public function testOnlyOneClassKnowsTheRuntimesByName(): void
    {
        $known = [];
        foreach (self::arrows() as [$class, $used]) {
            foreach (['Blocking', 'Revolt', 'Swoole'] as $runtime) {
                if (str_starts_with($used, "Runtime\\{$runtime}\\") && ! str_starts_with($class, "Runtime\\{$runtime}\\")) {
                    $known[] = $class;
                }
            }
        }

        self::assertSame(['Calling\Runtimes'], array_values(array_unique($known)));
    }

    public function testWhatIsNotForUsersSaysSo(): void
    {
        $silent = [];
        foreach (self::classes() as $class => $file) {
            if (preg_match(self::PUBLIC, $class) !== 1 && ! str_contains((string) file_get_contents($file), '@internal')) {
                $silent[] = $class;
            }
        }

        self::assertSame([], $silent);
    }

    public function testALongFileSaysWhyItIsOne(): void
    {
        foreach (self::classes() as $class => $file) {
            $source = (string) file_get_contents($file);
            self::assertTrue(substr_count($source, "\n") <= self::MAX_LINES || str_contains($source, ' * In one file'), "{$class}: split it, or say why.");
        }
    }

    public function testTheDrawingInTheDocumentationIsCurrent(): void
    {
        $lines = [];
        foreach (self::arrows() as [$class, $used]) {
            [$from, $to] = [self::room($class), self::room($used)];
            if ($from !== $to && array_intersect([$from, $to], self::UNDER_ALL) === []) {
                $lines[] = "    {$from} --> {$to}";
            }
        }
        $lines = array_unique($lines);
        sort($lines);

        $drawing = "```mermaid\ngraph TD\n" . implode("\n", $lines) . "\n```\n";
        $page = (string) file_get_contents(dirname(__DIR__, 2) . '/docs/architecture.md');

        self::assertTrue(str_contains($page, $drawing), "docs/architecture.md has another drawing than this:\n\n{$drawing}");
    }

    /**
     * @return list<array{string, string}> each class with each other one that it names, without the namespace that all share
     */
    private static function arrows(): array
    {
        $arrows = [];
        $classes = self::classes();
        foreach ($classes as $class => $file) {
            preg_match_all('/Reasno\\\GoTask\\\([\w\\\]+)/', (string) file_get_contents($file), $names);
            foreach (array_unique($names[1]) as $name) {
                if (isset($classes[$name])) {
                    $arrows[] = [$class, $name];
                }
            }
        }

        return $arrows;
    }

    /**
     * @return non-empty-array<string, string> their files, by their names without the namespace that all share
     */
    private static function classes(): array
    {
        $source = dirname(__DIR__, 2) . '/src';
        $classes = [];
        foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator($source, FilesystemIterator::SKIP_DOTS)) as $file) {
            $path = $file instanceof SplFileInfo ? $file->getPathname() : '';
            $classes[strtr(substr($path, strlen($source) + 1, -4), '/', '\\')] = $path;
        }
        ksort($classes);
        self::assertNotSame([], $classes);

        return $classes;
    }

    private static function room(string $class): string
    {
        $parts = explode('\\', $class);

        return match (true) {
            str_starts_with($class, 'Process\Status\\') => 'Status',
            count($parts) > 1 => $parts[0],
            default => $class === 'Client' ? $class : 'values',
        };
    }
}
