<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Console;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Console\Application;
use Reasno\GoTask\Console\Command\DoctorCommand;
use Reasno\GoTask\Console\ConsoleLogger;
use Reasno\GoTask\Console\Doctor\Finding;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Testing\FakeGoTask;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Output\BufferedOutput;

/**
 * What a worker says reaches a terminal as text, and as nothing else.
 */
#[CoversClass(Terminal::class)]
#[CoversClass(ConsoleLogger::class)]
final class TerminalTest extends TestCase
{
    private const HOSTILE = "\x1b]0;title\x07\u{9b}2J<fg=green>fine</>\u{202e}\r\n12:00:00 error    gotask: forged\x7f";

    #[DataProvider('commands')]
    public function testNothingThatAWorkerSaysIsACommandToTheTerminal(string $command): void
    {
        $texts = ['', 'name', 'state', 'failure', 'message', 'pid', 'python', 'loop', 'version', 'generation', 'service', 'signature', 'doc', 'calls'];
        $hostile = array_fill_keys($texts, self::HOSTILE) + ['running' => self::HOSTILE, 'workers' => self::HOSTILE];
        $task = new FakeGoTask([
            'GoTask.Status' => [
                ...$hostile,
                'reload' => ['state' => 'failed', 'message' => self::HOSTILE],
                'addresses' => [self::HOSTILE],
                'services' => [$hostile],
                'workers' => [$hostile],
            ],
            'GoTask.Methods' => [$hostile],
            'GoTask.Ping' => new RemoteError(self::HOSTILE, 'GoTask.Ping', 'Odd', self::HOSTILE),
            'App.text' => self::HOSTILE,
            'App.bytes' => "\xff\x1b[2J",
        ]);
        $output = new BufferedOutput(decorated: true);
        [$name, $arguments] = [strtok($command, ' '), ['method' => strtok(' ')]];
        (new Application(static fn () => $task))->find((string) $name)->run(new ArrayInput(array_filter($arguments)), $output);
        $shown = $output->fetch();

        self::assertPlain($shown);
        if ($name !== 'call') {
            self::assertStringContainsString('<fg=green>fine</>', $shown);
        }
    }

    /**
     * @return iterable<string, array{string}>
     */
    public static function commands(): iterable
    {
        foreach (['status', 'methods', 'ping', 'call App.text', 'call App.bytes'] as $command) {
            yield $command => [$command];
        }
    }

    public function testALogRecordIsNoOtherRecordAndNoCommand(): void
    {
        $output = new BufferedOutput(decorated: true);
        (new ConsoleLogger($output))->warning(self::HOSTILE, ['logger' => self::HOSTILE, 'traceback' => self::HOSTILE, self::HOSTILE => self::HOSTILE]);
        $shown = $output->fetch();

        self::assertPlain($shown);
        self::assertDoesNotMatchRegularExpression('/^12:00:00/m', $shown);
    }

    public function testARecordOfAnyContentIsALine(): void
    {
        $output = new BufferedOutput();
        (new ConsoleLogger($output, json: true))->info("a\nb\xff", ['x' => INF, "\xfe" => "\xff", 'y' => [NAN]]);

        self::assertIsArray(json_decode($output->fetch(), true));
    }

    public function testALineIsALine(): void
    {
        self::assertSame('a\n\x0db\x9bc', Terminal::line("a\n\rb\u{9b}c"));
        self::assertSame("a\nb\\x00ü", Terminal::text("a\r\nb\0ü"));
        self::assertSame('\xff\xc3x', Terminal::text("\xff\xc3x"));
    }

    public function testAWorkersFailureIsNoFindingOfDoctors(): void
    {
        $output = new BufferedOutput();
        $doctor = new class extends DoctorCommand {
            protected function examine(Options $options): array
            {
                return [new Finding(false, "the worker does not start: x\nok   all is well", "mend it\nok   all is well")];
            }
        };
        $doctor->run(new ArrayInput([]), $output);

        self::assertStringNotContainsString("\nok ", $output->fetch());
    }

    private static function assertPlain(string $shown): void
    {
        // Colours of our own are all that is left.
        $rest = (string) preg_replace('/\x1b\[[\d;]*m/', '', $shown);
        self::assertDoesNotMatchRegularExpression('/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2[\x80\x81][\xa6-\xae]/', $rest, (string) json_encode($rest));
    }
}
