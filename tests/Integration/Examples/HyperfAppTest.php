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
        $probe = stream_socket_server('tcp://127.0.0.1:0');
        self::assertIsResource($probe);
        $address = (string) stream_socket_get_name($probe, false);
        fclose($probe);
        $environment = ['HTTP_PORT' => explode(':', $address)[1], 'GOTASK_WORKERS' => '1'] + getenv();
        $server = proc_open([getenv('GOTASK_HYPERF_PHP') ?: PHP_BINARY, 'bin/hyperf.php', 'start'], [['file', '/dev/null', 'r'], ['file', "{$this->directory}/log.txt", 'w'], ['file', "{$this->directory}/log.txt", 'a']], $pipes, $this->directory, $environment);
        self::assertIsResource($server);

        try {
            for ($until = hrtime(true) + 30e9; ($events = @file_get_contents("http://{$address}/survey/events?below=20000")) === false && hrtime(true) < $until;) {
                usleep(20_000);
            }
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

    private function shell(string $command): string
    {
        exec($command, $lines, $code);
        $output = implode("\n", $lines);
        self::assertSame(0, $code, $output);

        return $output;
    }
}
