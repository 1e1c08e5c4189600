<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Generate;

use DateTimeImmutable;
use Nette\PhpGenerator\PhpFile;
use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\Attributes\RequiresMethod;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Args;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Generate\Folder;
use Reasno\GoTask\Process\WorkerProcess;
use Reasno\GoTask\Progress;
use Reasno\GoTask\Testing\FakeCall;
use Reasno\GoTask\Testing\FakeGoTask;
use Reasno\GoTask\Testing\RecordedCall;
use Reasno\GoTask\Tests\Integration\Client\RecordingLogger;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Circle;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Color;
use Reasno\GoTask\Tests\Integration\Generate\Edges\EdgesBox;
use Reasno\GoTask\Tests\Integration\Generate\Edges\EdgesImages;
use Reasno\GoTask\Tests\Integration\Generate\Edges\EdgesOuterBox;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Functions;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Gone;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Images;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Level;
use Reasno\GoTask\Tests\Integration\Generate\Edges\List_;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Made;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Odd;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Pair;
use Reasno\GoTask\Tests\Integration\Generate\Edges\ShopArgs;
use Reasno\GoTask\Tests\Integration\Generate\Edges\Tree;

use function dirname;
use function sprintf;

/**
 * Classes that were generated from a real worker's methods, and call them. Those in Edges/ are compared, and made anew by RENEW.
 *
 * @internal
 */
#[CoversNothing]
#[RequiresMethod(PhpFile::class, '__toString')]
final class GenerateTest extends TestCase
{
    private const ROOT = __DIR__ . '/../../..';
    private const APP = __DIR__ . '/Fixtures/edges.py';
    private const EXAMPLE = self::ROOT . '/examples/typed';

    /** From the project's folder. */
    private const RENEW = 'php bin/gotask generate tests/Integration/Generate/Fixtures/edges.py --namespace "Reasno\GoTask\Tests\Integration\Generate\Edges" --output tests/Integration/Generate/Edges';

    private static ?WorkerProcess $worker = null;

    private static ?string $folder = null;

    public static function setUpBeforeClass(): void
    {
        self::$worker = new WorkerProcess(self::APP, workers: 1);
        self::$worker->start();
        self::$folder = sys_get_temp_dir() . '/gotask-generate-' . bin2hex(random_bytes(6));
    }

    public static function tearDownAfterClass(): void
    {
        self::$worker = null;
        array_map(unlink(...), glob(self::$folder . '/*/*') ?: []);
        array_map(rmdir(...), glob(self::$folder . '/*') ?: []);
        is_dir((string) self::$folder) && rmdir((string) self::$folder);
    }

    public function testWhatIsGeneratedIsWhatIsHere(): void
    {
        [$exit, $output] = self::generate(__DIR__ . '/Edges', '--check');

        self::assertSame(0, $exit, "{$output}\nIf that is how it should be: " . self::RENEW);
    }

    public function testTheExampleIsWhatIsGenerated(): void
    {
        [$exit, $output] = self::run_(['generate', self::EXAMPLE . '/app.py', '--output', self::EXAMPLE . '/app/Python', '--check']);

        self::assertSame(0, $exit, "{$output}\nIf that is how it should be: php bin/gotask generate examples/typed/app.py --output examples/typed/app/Python");
    }

    public function testCheckNamesWhatIsMissingStaleAndLeftOverAndGeneratingMendsIt(): void
    {
        $folder = self::$folder . '/check';
        self::assertSame(0, self::generate($folder)[0]);
        $images = (string) file_get_contents("{$folder}/Images.php");
        file_put_contents("{$folder}/Images.php", str_replace('float $größe = 1', 'float $größe = 2', $images));
        rename("{$folder}/Tree.php", "{$folder}/Old.php");
        file_put_contents("{$folder}/Own.php", "<?php\n");

        [$exit, $output] = self::generate($folder, '--check');
        self::assertSame(1, $exit);
        foreach (['Images.php ' . Folder::STALE, 'Tree.php ' . Folder::MISSING, 'Old.php ' . Folder::LEFT_OVER, 'run it without --check'] as $line) {
            self::assertStringContainsString($line, $output);
        }
        self::assertStringNotContainsString('Own.php', $output);
        self::assertStringContainsString('removed ', self::generate($folder)[1]);
        self::assertSame($images, file_get_contents("{$folder}/Images.php"));
        self::assertFileExists("{$folder}/Own.php");
        self::assertFileDoesNotExist("{$folder}/Old.php");
        self::assertSame([0, "16 classes are current\n"], self::generate($folder, '--check'));
    }

    public function testATimeWithoutAZoneIsOfPhpsZone(): void
    {
        $result = ['width' => 1.0, 'color' => Color::cases()[0]->value, 'inner' => null];
        self::assertEquals(new DateTimeImmutable('2026-01-02 03:04:05'), EdgesBox::fromResult($result + ['made' => '2026-01-02T03:04:05'])->made);
        self::assertNull(EdgesBox::fromResult($result + ['made' => null])->made);
    }

    public function testAFileThatWasNotGeneratedIsLeftAlone(): void
    {
        $folder = self::$folder . '/own';
        mkdir($folder, recursive: true);
        file_put_contents("{$folder}/Images.php", "<?php\n");

        [$exit, $output] = self::generate($folder);
        self::assertSame(2, $exit);
        self::assertStringContainsString('Images.php was not generated: move it', $output);
        self::assertSame(["{$folder}/Images.php"], glob("{$folder}/*"));
    }

    public function testAWrongNamespaceIsNamed(): void
    {
        [$exit, $output] = self::generate((string) self::$folder, '--namespace=App;exit');
        self::assertSame(2, $exit);
        self::assertStringContainsString("not 'App;exit'", $output);
    }

    public function testPhpstanTakesTheClassesAndFindsWhatIsWrongWithTheirUse(): void
    {
        $phpstan = self::ROOT . '/vendor/bin/phpstan';
        if (! is_file($phpstan)) {
            self::markTestSkipped('PHPStan is not installed: composer install');
        }
        exec(sprintf('%s %s analyse -c %s --no-progress --memory-limit 1G --error-format raw 2>&1', escapeshellarg(PHP_BINARY), escapeshellarg($phpstan), escapeshellarg(__DIR__ . '/Fixtures/phpstan.neon')), $lines);

        $report = implode("\n", $lines);
        preg_match_all('~([^/\s]+\.php:\d+):~', $report, $found);
        $wrong = [];
        foreach (file(__DIR__ . '/Fixtures/misuse.php') ?: [] as $index => $line) {
            if (str_contains($line, '// wrong')) {
                $wrong[] = 'misuse.php:' . ($index + 1);
            }
        }
        self::assertSame($wrong, array_values(array_unique($found[1])), $report);
    }

    public function testArgumentsArriveAsPythonTakesThem(): void
    {
        $images = new Images(self::client());

        self::assertSame([1, 3, 4, ['x' => 'red', 'größe' => 'class']], $images->print(1, 3, 4, x: Color::RED, größe: Color::CLASS_));
        self::assertSame(3.0, $images->größeDerWelt(1.5));
        self::assertSame([1, true, [], 3, true], $images->only(1, 3));
        self::assertSame([1, false, [7, 8], 3, false], $images->only(1, c: 3, b: 'b', rest: [7, 8], d: 'd'));
        self::assertSame(['grün', 2.5, 'class', null, 31], $images->defaults());
        self::assertSame(['red', 1.0, 'red', 5, 3], $images->defaults(Color::RED, new EdgesBox(1), 5, new DateTimeImmutable('2026-02-03T00:00:00Z')));
        self::assertSame([[1, 2], ['x' => 'y']], $images->all(1, 2, x: 'y'));
        self::assertSame(['bytes', 'bytes', 'bytes', 'str'], $images->data('text', ["\xff", 'text'], 'x'));
        self::assertSame(['bytes', 'bytes'], $images->data('text', [], new Bytes('x')));
        (new List_(self::client()))->list();
        self::assertSame('f', (new ShopArgs(self::client()))->class_('f'));
        self::assertSame('a function', (new Functions(self::client()))->functions());
    }

    public function testResultsArriveAsObjects(): void
    {
        $images = new Images(self::client());
        $box = new EdgesBox(1.5, Color::CLASS_, new EdgesBox(0.5, made: new DateTimeImmutable('2026-01-01T00:00:00Z')), new DateTimeImmutable('2026-01-02T00:00:00.5Z'));
        $odd = new Odd('a', 1, true, '*/', 2, 'c', 3);
        $tree = new Tree(1, [new Tree(below: [new Tree(2)]), new Tree()]);

        self::assertEquals($box, $images->oneOf($box));
        self::assertSame(3, $images->oneOf(3));
        self::assertNull($images->oneOf(null));
        self::assertEquals($odd, $images->odd($odd));
        self::assertEquals($tree, $images->tree($tree));
        self::assertEquals(new EdgesImages(), $images->nothing());
        self::assertEquals(new EdgesOuterBox([$box]), $images->outer(new EdgesOuterBox([$box])));
        self::assertEquals(new EdgesOuterBox(), $images->outer(new EdgesOuterBox()));
        self::assertEquals(['a' => [[$box, Color::RED], null]], $images->nested(['a' => [[$box, Color::RED], null]]));
        self::assertSame([], $images->nested([]));
        self::assertEquals([new Pair(Color::RED, $box)], $images->pairs([new Pair(Color::RED, $box)]));
        self::assertSame([[1], [Level::HIGH], ['1.50']], $images->sets([1, 1], [Level::HIGH], ['1.50']));
        self::assertEquals(new Circle(2), $images->either(new Circle(2)));
        self::assertEquals($box, $images->either($box));
        self::assertEquals([new Made('a'), null, new Gone('gone', 'b')], $images->events([new Made('a'), null, new Gone('gone', 'b')]));
        self::assertSame(['radius' => 3], $images->alike(3));
        self::assertSame(['red' => 1], $images->keys(['red' => 1]));
        foreach (['*/', "it's", '$x', 1, true, null] as $value) {
            self::assertSame($value, $images->literal($value));
        }
        self::assertSame('two', $images->mixed('two'));
    }

    public function testWhatPhpstanWouldHaveFoundPythonRefuses(): void
    {
        $this->expectException(InvalidArguments::class);
        (new Images(self::client()))->keys(['blue' => 1]);
    }

    public function testTheClassesUseWhateverIsAGoTask(): void
    {
        $task = new FakeGoTask(['Images.outer' => ['boxes' => [['width' => 1, 'color' => 'red', 'inner' => null, 'made' => new DateTimeImmutable('2026-01-01')]]]]);

        self::assertSame(Color::RED, (new Images($task))->outer(new EdgesOuterBox())->boxes[0]->color);
        $task->assertCalled('Images.outer', new Args(['boxes' => []]));
    }

    public function testWhatGoesWithACallIsGivenByWith(): void
    {
        $task = new FakeGoTask(['Images.outer' => static function (array $box, FakeCall $call): array {
            $call->progress(0.5);

            return ['boxes' => [...$call->input()]];
        }, 'Images.nothing' => []]);
        $said = [];
        $images = new Images($task);
        $ours = $images->with(headers: ['tenant' => 'acme'], onProgress: static function (Progress $progress) use (&$said): void {
            $said[] = $progress->fraction;
        });
        $ours->with(key: 7, input: [], headers: ['locale' => 'de'])->outer(new EdgesOuterBox());
        $ours->nothing();
        $images->nothing();

        self::assertSame([0.5], $said);
        self::assertSame(
            [[7, ['locale' => 'de', 'tenant' => 'acme']], [null, ['tenant' => 'acme']], [null, []]],
            array_map(static fn (RecordedCall $call): array => [$call->key, $call->headers], $task->calls()),
        );
    }

    public function testAWorkerWithOtherMethodsIsReportedOnce(): void
    {
        $logger = new RecordingLogger();
        $client = self::client($logger);
        $client->call('GoTask.Ping');
        new Images($client);
        $client->close();
        $client->call('GoTask.Ping');
        new Functions($client);
        self::assertSame('', implode("\n", $logger->records));

        // There is a connection already.
        $client->expectSignatures('other');
        $client->expectSignatures('another');
        self::assertStringContainsString('run `vendor/bin/gotask generate`', implode("\n", $logger->records));
        self::assertCount(1, [...$logger->records]);
    }

    public function testAConnectionThatIsThereIsLookedAt(): void
    {
        $logger = new RecordingLogger();
        $client = self::client($logger);
        $client->call('GoTask.Ping');
        $client->expectSignatures('other');
        self::assertCount(1, [...$logger->records]);
    }

    public function testAWorkerWithOtherMethodsIsReportedBeforeTheFirstCall(): void
    {
        $logger = new RecordingLogger();
        $client = self::client($logger);
        $client->expectSignatures('other');
        try {
            $client->call('nothing.there');
        } catch (MethodNotFound) {
        }
        $client->close();
        $client->call('GoTask.Ping');
        self::assertCount(1, [...$logger->records]);
    }

    private static function client(?RecordingLogger $logger = null): Client
    {
        self::assertNotNull(self::$worker);

        return new Client(self::$worker->address(), logger: $logger ?? new RecordingLogger());
    }

    /**
     * @return array{int, string} its exit code, and what it wrote
     */
    private static function generate(string $folder, string ...$options): array
    {
        self::assertNotNull(self::$worker);

        return self::run_(['generate', '--address', self::$worker->address(), '--output', $folder, '--namespace', __NAMESPACE__ . '\Edges', ...array_values($options)]);
    }

    /**
     * @param list<string> $arguments
     * @return array{int, string} its exit code, and what it wrote
     */
    private static function run_(array $arguments): array
    {
        exec(implode(' ', array_map(escapeshellarg(...), [PHP_BINARY, dirname(__DIR__, 3) . '/bin/gotask', ...$arguments])) . ' 2>&1', $lines, $exit);

        return [$exit, implode("\n", $lines) . "\n"];
    }
}
