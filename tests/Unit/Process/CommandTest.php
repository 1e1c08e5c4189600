<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use InvalidArgumentException;
use PharData;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Address;
use Reasno\GoTask\Process\Child\BrokerCommand;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Child\UnusableInterpreter;
use Reasno\GoTask\Process\Status\UnixSocket;

use function dirname;
use function strlen;

/**
 * @internal
 */
#[CoversClass(BrokerCommand::class)]
#[CoversClass(ExitStatus::class)]
#[CoversClass(UnusableInterpreter::class)]
#[CoversClass(UnixSocket::class)]
final class CommandTest extends TestCase
{
    public function testTheCommandLineNamesWhatWasGiven(): void
    {
        $command = new BrokerCommand('app.py', ['unix:///a', 'tcp://b:1'], 3, 59.5, 30.0, ['A' => 'b'], 2);

        self::assertSame(
            ['py', BrokerCommand::script(), 'app.py', '--managed', '--address', 'unix:///a', '--address', 'tcp://b:1', '--workers', '3', '--async-workers', '2',
                '--start-timeout', '59.5', '--shutdown-timeout', '30'],
            $command->arguments('py'),
        );
        self::assertSame('b', $command->environment()['A'] ?? null);
        self::assertSame(getenv('PATH'), $command->environment()['PATH'] ?? null);
        self::assertFileExists(BrokerCommand::script());
    }

    public function testWithinAnArchiveItSaysWhatToDo(): void
    {
        $file = sys_get_temp_dir() . '/gotask-' . bin2hex(random_bytes(6)) . '.tar';
        $root = dirname(__DIR__, 3);

        try {
            (new PharData($file))->addFile("{$root}/src/Process/Child/ChildProcess.php", 'src/Process/Child/ChildProcess.php');
            $code = 'require $argv[1] . "/vendor/autoload.php"; require "phar://{$argv[2]}/src/Process/Child/ChildProcess.php";'
                . 'echo Reasno\GoTask\Process\Child\ChildProcess::obstacle();';
            $child = ChildProcess::start([PHP_BINARY, '-r', $code, $root, $file]);
            $said = '';
            while ($child->isRunning()) {
                $said .= implode('', $child->read(1.0));
            }
            $said .= implode('', $child->read(0.0));
        } finally {
            @unlink($file);
        }
        self::assertStringContainsString('inside of a phar archive', $said);
    }

    public function testWhatIsNotGivenIsLeftToTheBroker(): void
    {
        $command = new BrokerCommand('app', [], null, 0.045, 1.0);

        self::assertSame([], array_intersect(['--workers', '--async-workers'], $command->arguments('py')));
        self::assertContains('0.045', $command->arguments('py'));
        self::assertNull($command->environment());
    }

    #[TestWith(['--help', 1])]
    #[TestWith(['', 1])]
    #[TestWith(['app.py', 0])]
    public function testNonsenseIsRefused(string $app, int $workers): void
    {
        $this->expectException(InvalidArgumentException::class);
        new BrokerCommand($app, [], $workers, 1.0, 1.0);
    }

    public function testHowAProcessEndedReadsAsInASentence(): void
    {
        self::assertSame('exit code 70', (new ExitStatus(70))->describe());
        self::assertSame('signal 11 (SIGSEGV)', (new ExitStatus(null, 11))->describe());
        self::assertSame('signal 40', (new ExitStatus(null, 40))->describe());
        self::assertSame('an unknown exit code', (new ExitStatus(null))->describe());
        self::assertTrue((new ExitStatus(70))->isPermanent());
        self::assertFalse((new ExitStatus(1))->isPermanent());
        self::assertFalse((new ExitStatus(null, 9))->isPermanent());
    }

    public function testAnUnusableInterpreterSaysWhatItLacksAndHowItGetsIt(): void
    {
        $venv = new UnusableInterpreter('/v/bin/python', ['event' => 'missing', 'packages' => ['msgpack'], 'python' => '/v/bin/python', 'version' => '3.12.1']);
        $shim = new UnusableInterpreter('python3', ['event' => 'missing', 'packages' => ['msgpack'], 'python' => '/opt/p/bin/python3', 'version' => '3.11.7']);
        $old = new UnusableInterpreter('/usr/bin/python3', ['event' => 'unsupported', 'python' => '/usr/bin/python3', 'version' => '3.8.1']);

        self::assertSame('/v/bin/python (Python 3.12.1) lacks msgpack: /v/bin/python -m pip install msgpack', $venv->describe());
        self::assertStringStartsWith('python3 (/opt/p/bin/python3) (Python 3.11.7) lacks msgpack: /opt/p/bin/python3 -m pip', $shim->describe());
        self::assertSame('/usr/bin/python3 is Python 3.8.1; 3.10 or later is needed', $old->describe());
    }

    public function testTheSystemsInterpreterOnDebianGetsItsPackagesFromApt(): void
    {
        if (! is_file('/etc/debian_version')) {
            self::markTestSkipped('this is not Debian');
        }
        $unusable = new UnusableInterpreter('/usr/bin/python3', ['event' => 'missing', 'packages' => ['msgpack'], 'python' => '/usr/bin/python3', 'version' => '3.11.2']);

        self::assertStringEndsWith(': apt-get install python3-msgpack', $unusable->describe());
    }

    public function testAddressesAreMadeAbsolute(): void
    {
        self::assertSame('unix:///x/a.sock', UnixSocket::absolute('unix:///x/a.sock', '/w'));
        self::assertSame('unix:///w/run/a.sock', UnixSocket::absolute('unix://run/a.sock', '/w'));
        self::assertSame('tcp://127.0.0.1:80', UnixSocket::absolute('tcp://127.0.0.1:80', '/w'));
    }

    public function testAFreshAddressIsShortEnoughAndNeverTheSame(): void
    {
        $address = UnixSocket::fresh();

        self::assertLessThanOrEqual(Address::MAX_UNIX_PATH, strlen((string) UnixSocket::path($address)));
        self::assertNotSame($address, UnixSocket::fresh());
        self::assertDirectoryDoesNotExist(dirname((string) UnixSocket::path($address)));
    }
}
