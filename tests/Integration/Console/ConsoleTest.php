<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Console;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Console\Command\CallCommand;
use Reasno\GoTask\Console\Command\ClientCommand;
use Reasno\GoTask\Console\Command\MethodsCommand;
use Reasno\GoTask\Console\Command\PingCommand;
use Reasno\GoTask\Console\Command\StatusCommand;
use Reasno\GoTask\Console\Command\WorkerCommand;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Process\WorkerProcess;

use function array_slice;
use function in_array;
use function is_array;
use function is_int;

/**
 * The program itself, as a shell runs it, against a real worker.
 *
 * @internal
 */
#[CoversClass(ClientCommand::class)]
#[CoversClass(WorkerCommand::class)]
#[CoversClass(CallCommand::class)]
#[CoversClass(MethodsCommand::class)]
#[CoversClass(StatusCommand::class)]
#[CoversClass(PingCommand::class)]
#[CoversClass(ExitCode::class)]
final class ConsoleTest extends TestCase
{
    private static ?WorkerProcess $worker = null;

    public static function setUpBeforeClass(): void
    {
        self::$worker = new WorkerProcess(__DIR__ . '/../Process/Fixtures/app.py', workers: 1);
        self::$worker->start();
    }

    public static function tearDownAfterClass(): void
    {
        self::$worker = null;
    }

    public function testCallShowsTheResult(): void
    {
        self::assertSame([0, "{\"hello\":\"Reasno\"}\n", ''], self::gotask(['call', 'App.Hi', '"Reasno"', '--json']));
        self::assertSame([0, "{\n    \"hello\": \"Reasno\"\n}\n", ''], self::gotask(['call', 'App.Hi', '"Reasno"']));
    }

    public function testCallReadsThePayloadFromStandardInput(): void
    {
        self::assertSame([0, "{\"hello\":[1,{\"a\":2}]}\n", ''], self::gotask(['call', 'App.Hi', '-', '--json'], '[1, {"a": 2}]'));
    }

    public function testATerminalShowsTheProgressOfACall(): void
    {
        [$code, $stdout, $stderr] = self::gotask(['call', 'App.Steps', '4', '--ansi']);
        self::assertSame([0, "4\n"], [$code, $stdout]);
        foreach (['0%', 'step <0>', '25%', '75%', 'step <3>\x1b[2J'] as $shown) {
            self::assertStringContainsString($shown, $stderr);
        }
        // Nothing is left of it in the end.
        self::assertStringEndsWith("\x1b[1G\x1b[2K", $stderr);
        self::assertSame([0, "4\n", ''], self::gotask(['call', 'App.Steps', '4']));
    }

    public function testCallShowsAStreamLineByLine(): void
    {
        self::assertSame([0, "{\"row\":2}\n{\"row\":1}\n", ''], self::gotask(['call', 'App.Rows', '2', '--stream']));
        [$code, $stdout, $stderr] = self::gotask(['call', 'App.Rows', '2']);
        self::assertSame([ExitCode::FAILED, ''], [$code, $stdout]);
        self::assertStringContainsString('stream', $stderr);
    }

    public function testAStreamEndsWithItsReader(): void
    {
        exec(implode(' ', array_map(escapeshellarg(...), [PHP_BINARY, __DIR__ . '/../../../bin/gotask', 'call', 'App.Rows', '1000000000', '--stream', '--address', (string) self::$worker?->address()])) . ' | head -n 1', $lines);
        self::assertSame(['{"row":1000000000}'], $lines);
    }

    public function testBytesAreWrittenAsTheyAre(): void
    {
        self::assertSame([0, "\xff\0\xfe", ''], self::gotask(['call', 'App.bytes']));
        self::assertSame([0, "{\"base64\":\"/wD+\"}\n", ''], self::gotask(['call', 'App.bytes', '--json']));
    }

    /**
     * @param list<string> $arguments
     */
    #[DataProvider('failures')]
    public function testAFailureHasItsExitCode(array $arguments, int $code, string $message): void
    {
        [$exit, $stdout, $stderr] = self::gotask($arguments);

        self::assertSame([$code, ''], [$exit, $stdout]);
        self::assertStringContainsString($message, $stderr);
    }

    /**
     * @return iterable<string, array{list<string>, int, string}>
     */
    public static function failures(): iterable
    {
        yield 'the method fails' => [['call', 'App.Fail', '"no luck"'], ExitCode::FAILED, 'ValueError: no luck'];
        yield 'with its traceback' => [['call', 'App.Fail', '"no luck"'], ExitCode::FAILED, 'Traceback (most recent call last)'];
        yield 'unknown method' => [['call', 'App.Hey'], ExitCode::USAGE, 'App.hi'];
        yield 'arguments that do not fit' => [['call', 'App.Log', '["info"]'], ExitCode::USAGE, 'message'];
        yield 'no JSON' => [['call', 'App.Hi', '{'], ExitCode::USAGE, 'Syntax error'];
        yield 'no address' => [['ping', '--address', 'nonsense'], ExitCode::USAGE, 'no address'];
        yield 'nobody there' => [['ping', '--address', 'unix:///no/such.sock'], ExitCode::NO_CONNECTION, '/no/such.sock'];
        yield 'deadline' => [['call', 'App.Sleep', '0.5', '--timeout', '0.1'], ExitCode::DEADLINE, 'App.Sleep'];
        yield 'no number' => [['call', 'App.Hi', '1', '--timeout', 'soon'], ExitCode::USAGE, '--timeout'];
    }

    public function testAFailureIsJsonForPrograms(): void
    {
        [$exit, $stdout] = self::gotask(['call', 'App.Fail', '"no luck"', '--json']);
        $document = json_decode($stdout, true);

        self::assertSame(ExitCode::FAILED, $exit);
        self::assertIsArray($document);
        self::assertIsArray($document['error']);
        self::assertSame(['RemoteError', 'ValueError'], [$document['error']['kind'], $document['error']['type']]);
    }

    public function testMethodsShowTheirSignatures(): void
    {
        [$exit, $stdout] = self::gotask(['methods']);

        self::assertSame(0, $exit);
        self::assertStringContainsString("App.hi(name)\n    Says hello.\n", $stdout);
        self::assertContains('App.hi', array_column((array) json_decode(self::gotask(['methods', '--json'])[1], true), 'name'));
    }

    public function testStatusShowsTheProcesses(): void
    {
        [$exit, $stdout] = self::gotask(['status']);
        $pid = (string) self::$worker?->pid();

        self::assertSame(0, $exit);
        self::assertMatchesRegularExpression('/state +ready\n/', $stdout);
        self::assertStringContainsString("process {$pid}", $stdout);
        self::assertMatchesRegularExpression('/^generation [12]$/m', $stdout);
        self::assertMatchesRegularExpression('/^service +kind +workers queued running calls refused wait p50 p99 +run p50 p99 *\n\(shared\) sync +1 +0 +0 +\d+ +0 +[\d.]+ [µm]?s +[\d.]+ [µm]?s/mu', $stdout);
        self::assertMatchesRegularExpression('/^process +service +kind +generation state +calls +memory *\n\d+ +\(shared\) sync +1 +\w+ +\d+/m', $stdout);
        $document = json_decode(self::gotask(['status', '--json'])[1], true);
        self::assertSame($pid, is_array($document) && is_int($document['pid']) ? (string) $document['pid'] : '');
    }

    public function testOfSeveralAddressesEachIsShown(): void
    {
        $address = (string) self::$worker?->address();
        [$exit, $stdout, $stderr] = self::gotask(['status', '--address', "{$address},unix:///nowhere.sock"]);

        self::assertSame(3, $exit);
        self::assertMatchesRegularExpression("~^{$address}\nstate +ready\n~", $stdout);
        self::assertStringContainsString("\n\nunix:///nowhere.sock\n", $stdout);
        self::assertStringContainsString('Cannot connect to unix:///nowhere.sock', $stderr);
        [$exit, $stdout] = self::gotask(['methods', '--json', '--address', "unix:///nowhere.sock,{$address}"]);
        $document = json_decode($stdout, true);
        self::assertIsArray($document);
        self::assertSame([3, ['unix:///nowhere.sock', $address]], [$exit, array_keys($document)]);
        self::assertContains('App.hi', array_column((array) $document[$address], 'name'));
        self::assertSame([0, "\"x\"\n"], array_slice(self::gotask(['call', 'GoTask.Ping', '"x"', '--address', "unix:///nowhere.sock,{$address}"]), 0, 2));
    }

    public function testDoctorSaysSomethingOfEachAddress(): void
    {
        $address = (string) self::$worker?->address();
        [, $stdout] = self::gotask(['doctor', '--address', "unix:///tmp/nowhere/x.sock,{$address},tcp://127.0.0.1:1"]);

        self::assertMatchesRegularExpression("~the address is unix:///tmp/nowhere/x\\.sock,.*\\n.* no worker runs there\\n.*\\n.*the address is {$address}, .*\\nok   a worker answers there\\nok   the address is tcp://127\\.0\\.0\\.1:1\\n.* no worker runs there~", $stdout);
    }

    public function testABrokerWithoutASupervisorIsReloadedAllTheSame(): void
    {
        self::assertSame([0, "{\"generation\":2}\n", ''], self::gotask(['reload', '--json']));
    }

    public function testPingCounts(): void
    {
        [$exit, $stdout] = self::gotask(['ping', '-c', '2', '--interval', '0.001']);

        self::assertSame(0, $exit);
        self::assertMatchesRegularExpression('/^1: .+ ms.*\n2: .+ ms\n2 round trips: min/', $stdout);
    }

    public function testTheAddressMayComeFromTheEnvironment(): void
    {
        [$exit] = self::gotask(['ping', '-c', '1'], environment: ['GOTASK_ADDRESS' => (string) self::$worker?->address()], address: false);

        self::assertSame(0, $exit);
    }

    /**
     * @param list<string> $arguments
     * @param array<string, string> $environment
     * @return array{int, string, string} exit code, standard output, standard error
     */
    private static function gotask(array $arguments, string $stdin = '', array $environment = [], bool $address = true): array
    {
        if ($address && ! in_array('--address', $arguments, true)) {
            array_push($arguments, '--address', (string) self::$worker?->address());
        }
        $process = proc_open(
            [PHP_BINARY, __DIR__ . '/../../../bin/gotask', ...$arguments],
            [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']],
            $pipes,
            null,
            $environment + getenv(),
        );
        self::assertIsResource($process);
        fwrite($pipes[0], $stdin);
        fclose($pipes[0]);
        [$stdout, $stderr] = [(string) stream_get_contents($pipes[1]), (string) stream_get_contents($pipes[2])];

        return [proc_close($process), $stdout, $stderr];
    }
}
