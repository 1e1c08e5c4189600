<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Console;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Client;
use Reasno\GoTask\Console\Command\TopCommand;
use Reasno\GoTask\Console\Top\LiveTerminal;
use Reasno\GoTask\Console\Top\Top;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Process\WorkerProcess;

use function is_array;

/**
 * `gotask top` in a terminal, with a real worker.
 *
 * @internal
 */
#[CoversClass(LiveTerminal::class)]
#[CoversClass(Top::class)]
#[CoversClass(TopCommand::class)]
final class TopTest extends TestCase
{
    private static ?WorkerProcess $worker = null;

    private ?PseudoTerminal $terminal = null;

    public static function setUpBeforeClass(): void
    {
        self::$worker = new WorkerProcess(__DIR__ . '/../Process/Fixtures/app.py', workers: 1);
        self::$worker->start();
    }

    public static function tearDownAfterClass(): void
    {
        self::$worker = null;
    }

    protected function tearDown(): void
    {
        $this->terminal?->end();
    }

    public function testAProcessIsRecycledKilledAndLookedIntoByKeys(): void
    {
        $first = self::pid();
        $terminal = $this->open();
        $terminal->see("~^ *{$first} .* idle ~m");
        $terminal->press('d');
        $terminal->see("~^The Python stacks of {$first}\n(.*\n)*.* File ~m");
        $terminal->press('q');
        $terminal->see('~^method|^process~m');

        $terminal->press('r');
        $terminal->see("~^{$first} is replaced after the calls that it has~m");
        $terminal->see(self::idleAfter($first));
        $second = self::pid();
        self::assertNotSame($first, $second);
        $terminal->see("~^ *{$second} ~m");

        $terminal->press('K');
        $terminal->see("~^Kill {$second} at once\\?~m");
        $terminal->press('y');
        $terminal->see(self::idleAfter($second));
        $terminal->see('~^ *' . self::pid() . ' ~m');
    }

    public function testTheLastFailuresAreReadByAKey(): void
    {
        $terminal = $this->open();
        $terminal->see('~^process ~m');
        $terminal->press('f');
        $terminal->see('~^No call has failed so far~');
        $terminal->press('f');
        $terminal->see('~^process ~m');
        try {
            (new Client((string) self::$worker?->address()))->call('App.Fail', 'no');
        } catch (RemoteError) {
        }
        $terminal->press('f');
        $text = $terminal->see('~^The last failures, newest first\n\n\d{4}-\d\d-\d\d [\d:]+ App\.fail in process \d+, after [\d.]+ .s\nTraceback .*\n~');
        self::assertStringContainsString("\nValueError: no\n", $text);
    }

    public function testAFrameHasTheTerminalsSize(): void
    {
        $terminal = $this->open();
        $terminal->see('~^q quit|  q quit$~m');
        $terminal->resize(12, 50);
        $frame = $terminal->see('~^(.*\n){11}.*q quit$~D');
        self::assertStringNotContainsString('memory  CPU', $frame);
        $terminal->resize(40, 200);
        $terminal->see('~^(.*\n){39}.*q quit$~D');
    }

    #[TestWith(['q'])]
    #[TestWith(["\x03"])]
    #[TestWith([SIGTERM])]
    public function testTheTerminalIsLeftAsItWas(int|string $ending): void
    {
        $terminal = $this->open();
        $before = $terminal->before;
        $terminal->see('~q quit~');
        self::assertNotSame($before, $terminal->settings());
        $terminal->press($ending);
        $terminal->wait();

        self::assertSame($before, $terminal->settings());
        self::assertStringEndsWith("\e[?7h\e[?25h\e[?1049l", $terminal->output());
    }

    public function testAWorkerThatIsGoneIsSaidToBeAndSeenAgain(): void
    {
        $worker = new WorkerProcess(__DIR__ . '/../Process/Fixtures/app.py', workers: 1);
        $worker->start();
        $terminal = $this->open($worker->address());
        $terminal->see('~ ready ~');
        $worker->stop();
        $terminal->see('~ gone (.*\n)+Cannot connect to ~');
        $again = new WorkerProcess(__DIR__ . '/../Process/Fixtures/app.py', $worker->address(), workers: 1);
        $again->start();
        self::assertStringNotContainsString('gone', $terminal->see('~ ready ~'));
        $again->stop();
    }

    private function open(?string $address = null): PseudoTerminal
    {
        return $this->terminal = new PseudoTerminal([PHP_BINARY, __DIR__ . '/../../../bin/gotask', 'top', '--interval', '0.1', '--address', $address ?? (string) self::$worker?->address()]);
    }

    /** A frame with an idle process, and without that one. */
    private static function idleAfter(int $pid): string
    {
        return "~^(?!.*\n *{$pid} +\\(shared).*\n *\\d+ +\\(shared\\)[^\n]* idle ~s";
    }

    private static function pid(): int
    {
        $status = (new Client((string) self::$worker?->address()))->call('GoTask.Status');
        $pids = is_array($status) && is_array($status['workers']) ? array_column($status['workers'], 'pid') : [];

        $pid = end($pids);
        self::assertIsInt($pid);

        return $pid;
    }
}
