<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Examples;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;

use function array_column;
use function is_array;

/**
 * The recipes' pages, as a browser asks for them.
 *
 * @internal
 */
#[CoversNothing]
#[RequiresPhpExtension('pcntl')]
#[RequiresPhpExtension('posix')]
final class WebRecipesTest extends TestCase
{
    private const RECIPES = __DIR__ . '/../../../examples/recipes';

    private static string $url;

    private static string $folder;

    /** @var resource */
    private static mixed $program;

    /** @var resource */
    private static mixed $output;

    public static function setUpBeforeClass(): void
    {
        self::$folder = sys_get_temp_dir() . '/gotask-web-' . bin2hex(random_bytes(4));
        mkdir(self::$folder);
        $probe = stream_socket_server('tcp://127.0.0.1:0');
        self::assertIsResource($probe);
        $address = (string) stream_socket_get_name($probe, false);
        fclose($probe);
        self::$url = "http://{$address}";
        $program = proc_open([PHP_BINARY, self::RECIPES . '/serve.php', $address], [['file', '/dev/null', 'r'], ['pipe', 'w'], ['file', self::$folder . '/errors', 'w']], $pipes, null, ['TMPDIR' => self::$folder] + getenv());
        self::assertIsResource($program);
        self::assertIsResource($pipes[1]);
        [self::$program, self::$output] = [$program, $pipes[1]];
        stream_set_blocking(self::$output, false);
        self::await('until Ctrl-C');
        for ($until = hrtime(true) + 30e9; @file_get_contents(self::$url . '/chat') === false && hrtime(true) < $until;) {
            usleep(20_000);
        }
    }

    public static function tearDownAfterClass(): void
    {
        proc_terminate(self::$program);
        stream_set_blocking(self::$output, true);
        stream_get_contents(self::$output);    // ends when all processes have
        proc_close(self::$program);
        exec('rm -rf ' . escapeshellarg(self::$folder));
    }

    public function testTokensComeOneAfterTheOther(): void
    {
        self::assertStringContainsString('new EventSource', (string) file_get_contents(self::$url . '/chat'));
        $browser = self::open('/chat/tokens?question=the+Rabbit&most=3');
        $began = hrtime(true);
        $events = [self::event($browser), self::event($browser), self::event($browser), self::event($browser)];

        self::assertSame(['token', 'token', 'token', 'done'], array_column($events, 0));
        self::assertSame('the ', $events[0][1]);
        self::assertGreaterThan(0.02, (hrtime(true) - $began) / 1e9, 'The first one does not wait for the last.');
        self::await('the answer ended after 3 tokens');
    }

    public function testABrowserThatIsClosedEndsTheAnswer(): void
    {
        $browser = self::open('/chat/tokens?most=1000');
        self::assertSame('token', self::event($browser)[0]);
        fclose($browser);

        preg_match('/after (\d+) tokens/', self::await('the answer ended after'), $found);
        self::assertLessThan(1000, (int) ($found[1] ?? 1000));
    }

    public function testABrowserIsToldHowFarAJobIsAndEndsItWhenItIsClosed(): void
    {
        $browser = self::open('/archive/events');
        [$event, $progress] = self::event($browser);
        self::assertSame('progress', $event);
        self::assertIsArray($progress);
        self::assertSame(['fraction', 'text', 'data'], array_keys($progress));
        self::assertCount(1, self::files(), 'the unfinished archive');
        fclose($browser);

        for ($until = hrtime(true) + 30e9; self::files() !== [] && hrtime(true) < $until;) {
            usleep(20_000);
        }
        self::assertSame([], self::files());
    }

    public function testAJobIsStartedByOneRequestAndAskedForAndEndedByOthers(): void
    {
        $job = self::request('POST', '/archive/jobs');
        self::assertIsString($job['id'] ?? null);
        $url = "/archive/jobs?id={$job['id']}";
        self::assertSame('running', self::state($url));
        self::request('DELETE', $url);
        for ($until = hrtime(true) + 30e9; self::state($url) === 'running' && hrtime(true) < $until;) {
            usleep(20_000);
        }
        self::assertSame('cancelled', self::state($url));
        self::assertSame([], self::files());
        self::assertSame('unknown', self::state('/archive/jobs?id=other'));
    }

    /**
     * @phpstan-impure
     */
    private static function state(string $url): mixed
    {
        return self::request('GET', $url)['state'] ?? null;
    }

    /**
     * @return list<string> what jobs have left
     * @phpstan-impure
     */
    private static function files(): array
    {
        return glob(self::$folder . '/gotask-recipes-*') ?: [];
    }

    /**
     * @return resource
     */
    private static function open(string $path): mixed
    {
        $browser = fopen(self::$url . $path, 'r', context: stream_context_create(['http' => ['timeout' => 30.0]]));
        self::assertIsResource($browser);

        return $browser;
    }

    /**
     * @param resource $browser
     * @return array{string, mixed}
     */
    private static function event(mixed $browser): array
    {
        $lines = [];
        while (($line = fgets($browser)) !== false && $line !== "\n") {
            $lines[] = $line;
        }
        self::assertCount(2, $lines);

        return [substr($lines[0], 7, -1), json_decode(substr($lines[1], 6), true)];
    }

    /**
     * @return array<array-key, mixed>
     */
    private static function request(string $method, string $path): array
    {
        $answer = file_get_contents(self::$url . $path, context: stream_context_create(['http' => ['method' => $method, 'timeout' => 30.0]]));
        $decoded = json_decode((string) $answer, true);

        return is_array($decoded) ? $decoded : [];
    }

    /**
     * @return string the line of the program's output in which it stands
     */
    private static function await(string $words): string
    {
        $seen = '';
        for ($until = hrtime(true) + 30e9; hrtime(true) < $until;) {
            $line = (string) fgets(self::$output);
            $seen .= $line;
            if (str_contains($line, $words)) {
                return $line;
            }
            usleep($line === '' ? 10_000 : 0);
        }
        self::fail($seen);
    }
}
