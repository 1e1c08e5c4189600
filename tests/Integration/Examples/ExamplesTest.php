<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Examples;

use PHPUnit\Framework\Attributes\CoversNothing;
use PHPUnit\Framework\TestCase;

use function dirname;
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

    public function testTyped(): void
    {
        self::assertSame([
            'total 18.90',
            'OPEN HIGH, B2, ring twice, instead of Ulm',
            'found in Ulm',
            'Ulm 2 since this century',
            'Bonn 1 since this century',
            'SENT 2 Side Street, Bonn',
            'due 2026-01-31T13:00:00+00:00',
            'age 90 s',
            'way 48.4/9.98 50.73/7.1',
            'box 5 × 2 × 3',
            '{"text":"lamp","limit":3,"filters":{"colour":"red","stock":true}} orders/archive.zip',
            'A0 A1 A2 OPEN SENT 1.25',
        ], $this->run_('typed/typed.php'));
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

    public function testWaysOfCalling(): void
    {
        // Where this machine stands still meanwhile, the longer one is seen first.
        $output = str_replace('{"a":"40 frames","b":"1 frames"}', '{"b":"1 frames","a":"40 frames"}', $this->run_('ways/ways.php'));
        self::assertSame([
            'stream     [1000000,999999,999998]',
            'words      ["one","after","the","other"]',
            'progress   ["10 frames",1,"done"]',
            'input      25002500',
            'completed  {"b":"1 frames","a":"40 frames"}',
            'call back  "Good morning, Jo!"',
            'key        "1 process"',
            'types      {"name":"ink","price":"12","ordered":"2026-02-01"}',
            'refused    "Ways.order(): argument lines[0].price: \"cheap\" is no Decimal; send a number, or text such as \"19.90\""',
        ], $output);
    }

    public function testDeaths(): void
    {
        $methods = ['segfault', 'leave', 'exit', 'recurse', 'raise_unprintable', 'sleep'];
        $output = implode("\n", $this->run_('deaths/deaths.php', ...array_map(static fn (string $method): string => "Deaths.{$method}", $methods)));

        $app = 'RemoteTraceback at [^\n]+examples\/deaths\/app\.py:\d+';
        foreach ([
            '/WorkerCrashed: the worker \d+ was killed by SIGSEGV while it ran Deaths.segfault\n.+signal: 11\n.+peakMemory: \d{7,}\n.+File ".+app.py", line \d+ in segfault/s',
            '/WorkerCrashed: the worker \d+ ended with exit code 3 .+exitCode: 3\n.+stderr: "leaving without a word to anybody\\\n"/s',
            "/RemoteError: Deaths.exit raised SystemExit: 3 \\(app\\.py:\\d+ in exit\\)\\n.+{$app}/s",
            "/RemoteError: Deaths.recurse raised RecursionError: .+{$app}/s",
            "/RemoteError: Deaths.raise_unprintable raised app.Unprintable: \\(its __str__ raised RuntimeError\\) \\(app\\.py:\\d+ in raise_unprintable\\)\\n.+{$app}/s",
            "/DeadlineExceeded: the time of Deaths.sleep was over while it ran; it was interrupted \\(app\\.py:\\d+ in sleep\\)\\n.+{$app}/s",
        ] as $pattern) {
            self::assertMatchesRegularExpression($pattern, $output);
        }
        $killed = "/DeadlineExceeded: Deaths.hold_the_interpreter had run out of time .+ its worker was killed\\n.+{$app}.+in hold_the_interpreter/s";
        $tries = 0;
        do {
            // The caller waits for 0.2 s beyond its time; on a busy machine the end of a worker takes longer now and then.
            $output = implode("\n", $this->run_('deaths/deaths.php', 'Deaths.hold_the_interpreter'));
        } while (preg_match($killed, $output) !== 1 && ++$tries < 20);
        self::assertMatchesRegularExpression($killed, $output);
    }

    public function testAWorkerThatTheKernelKillsForItsMemory(): void
    {
        $group = '/sys/fs/cgroup/memory/gotask-test-' . getmypid();
        if (! is_writable(dirname($group)) || ! @mkdir($group)) {
            self::markTestSkipped('no control group with a limit of memory can be made here: that takes root, and cgroup v1');
        }
        try {
            file_put_contents("{$group}/memory.limit_in_bytes", (string) (200 << 20));
            exec(sprintf('echo $$ >%s/cgroup.procs && exec %s %s Deaths.allocate 2>&1', $group, escapeshellarg(PHP_BINARY), escapeshellarg(self::EXAMPLES . '/deaths/deaths.php')), $lines);
        } finally {
            rmdir($group);
        }
        self::assertMatchesRegularExpression('/WorkerCrashed: the worker \d+ was killed by SIGKILL of the kernel\'s out-of-memory killer .+signal: 9\n.+outOfMemory: true/s', implode("\n", $lines));
    }

    /**
     * @return list<string> the lines that it wrote
     */
    private function run_(string $program, string ...$arguments): array
    {
        $command = array_map(escapeshellarg(...), [PHP_BINARY, self::EXAMPLES . "/{$program}", ...array_values($arguments)]);
        exec(implode(' ', $command) . ' 2>&1', $lines, $code);
        self::assertSame(0, $code, implode("\n", $lines));

        return $lines;
    }
}
