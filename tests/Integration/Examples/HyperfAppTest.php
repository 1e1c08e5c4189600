<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Examples;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\TestCase;

use function count;
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

    public function testABrowserIsToldHowFarThePythonSideIs(): void
    {
        $server = $this->serve($address);

        try {
            $events = self::get("http://{$address}/survey/events?below=20000");
            $log = (string) file_get_contents("{$this->directory}/log.txt");
            preg_match_all('/^event: (\w+)\ndata: (.*)\n\n/m', (string) $events, $told, PREG_SET_ORDER);
            self::assertGreaterThan(16, count($told), $log . $events);
            self::assertSame('done', array_pop($told)[1] ?? '', $log);
            self::assertStringEndsWith("data: {\"below\":20000,\"primes\":2262}\n\n", (string) $events);
            $fractions = array_map(static fn (array $event): mixed => ((array) json_decode($event[2], true))['fraction'] ?? null, $told);
            self::assertContains(1, $fractions);
            self::assertSame(['progress'], array_values(array_unique(array_column($told, 1))));
            $sorted = $fractions;
            sort($sorted);
            self::assertSame($sorted, $fractions);

            $browser = fopen("http://{$address}/survey/events?below=2000000", 'r');
            self::assertIsResource($browser);
            self::assertSame("event: progress\n", fgets($browser));
            fclose($browser);
            self::assertStringContainsString('"primes"', (string) file_get_contents("http://{$address}/survey/events?below=20000"));
            self::assertStringNotContainsString('has gone', (string) file_get_contents("{$this->directory}/log.txt"), 'A browser that leaves is no error.');
        } finally {
            proc_terminate($server);
            proc_close($server);
        }
    }

    public function testTheRecipeOfAChatRunsInItAsItIs(): void
    {
        $recipes = escapeshellarg(__DIR__ . '/../../../examples/recipes');
        $this->shell(sprintf('cd %s && cp %s/ChatController.php app/Controller && cp %2$s/chat.py %2$s/chat.txt gotask', escapeshellarg($this->directory), $recipes));
        $app = (string) file_get_contents("{$this->directory}/gotask/app.py");
        file_put_contents("{$this->directory}/gotask/app.py", str_replace("\nimport gotask", "\nimport chat\nimport gotask", $app));
        $server = $this->serve($address);

        try {
            $events = (string) self::get("http://{$address}/chat/tokens?question=the+Rabbit&most=2");
            self::assertMatchesRegularExpression('/^event: token\ndata: "the "\n\nevent: token\ndata: "\S+ "\n\nevent: done\ndata: null\n\n$/', $events);
            $browser = fopen("http://{$address}/chat/tokens?most=1000", 'r');
            self::assertIsResource($browser);
            self::assertSame("event: token\n", fgets($browser));
            fclose($browser);
            for ($until = hrtime(true) + 20e9; preg_match_all('/the answer ended after (\d+) tokens/', (string) @file_get_contents("{$this->directory}/runtime/logs/hyperf.log"), $ends) < 2 && hrtime(true) < $until;) {
                usleep(20_000);
            }
            self::assertSame('2', $ends[1][0] ?? '', (string) file_get_contents("{$this->directory}/log.txt"));
            self::assertLessThan(1000, (int) ($ends[1][1] ?? 1000));
        } finally {
            proc_terminate($server);
            proc_close($server);
        }
    }

    /**
     * @param-out string $address
     * @return resource
     */
    private function serve(?string &$address): mixed
    {
        $probe = stream_socket_server('tcp://127.0.0.1:0');
        self::assertIsResource($probe);
        $address = (string) stream_socket_get_name($probe, false);
        fclose($probe);
        $environment = ['HTTP_PORT' => explode(':', $address)[1], 'GOTASK_WORKERS' => '1'] + getenv();
        $server = proc_open([getenv('GOTASK_HYPERF_PHP') ?: PHP_BINARY, 'bin/hyperf.php', 'start'], [['file', '/dev/null', 'r'], ['file', "{$this->directory}/log.txt", 'w'], ['file', "{$this->directory}/log.txt", 'a']], $pipes, $this->directory, $environment);
        self::assertIsResource($server);

        return $server;
    }

    private static function get(string $url): false|string
    {
        for ($until = hrtime(true) + 30e9; ($content = @file_get_contents($url)) === false && hrtime(true) < $until;) {
            usleep(20_000);
        }

        return $content;
    }

    private function shell(string $command): string
    {
        exec($command, $lines, $code);
        $output = implode("\n", $lines);
        self::assertSame(0, $code, $output);

        return $output;
    }
}
