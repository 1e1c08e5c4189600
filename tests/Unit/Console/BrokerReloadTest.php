<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Console;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Console\BrokerReload;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Status\UnixSocket;
use Reasno\GoTask\Testing\FakeGoTask;

use function dirname;

/**
 * Whoever answers at an address has no say in which process of this machine is sent a signal.
 */
#[CoversClass(BrokerReload::class)]
#[RequiresPhpExtension('posix')]
final class BrokerReloadTest extends TestCase
{
    private ChildProcess $victim;

    private ?ChildProcess $listener = null;

    private FakeGoTask $remote;

    protected function setUp(): void
    {
        // Named like a broker, which is no proof of anything.
        $this->victim = ChildProcess::start(['sh', '-c', 'trap "echo HUP" HUP; echo up; while :; do sleep 0.02; done', 'python', '-m', 'gotask']);
        self::assertStringContainsString('up', $this->victim->read(5.0)[0]);
        $this->remote = new FakeGoTask(['GoTask.Status' => ['pid' => $this->victim->pid, 'state' => 'ready', 'generation' => 1]]);
    }

    protected function tearDown(): void
    {
        $this->victim->kill();
        $this->listener?->kill();
    }

    public function testARemoteBrokerIsNotReloadedFromHere(): void
    {
        foreach (['tcp://127.0.0.1:9630', 'tls://127.0.0.1:9630', 'tcp://10.0.0.1:9630'] as $address) {
            try {
                (new BrokerReload($this->remote, $address))->run(1.0);
                self::fail('It was asked to reload.');
            } catch (ConnectFailed $failure) {
                self::assertStringContainsString('send SIGHUP to it where it runs', $failure->getMessage());
            }
        }
        $this->assertNotSignalled();
    }

    #[RequiresPhpExtension('sockets')]
    public function testTheSignalGoesToWhoListensWhateverHeSays(): void
    {
        $address = UnixSocket::fresh();
        mkdir(dirname((string) UnixSocket::path($address)), 0o700);
        $this->listener = ChildProcess::start([PHP_BINARY, '-r', '$s = stream_socket_server($argv[1]); pcntl_async_signals(true);
            pcntl_signal(SIGHUP, function () { echo "HUP"; }); echo "up"; while (true) { usleep(10_000); }', $address]);
        self::assertStringContainsString('up', $this->listener->read(5.0)[0]);
        try {
            (new BrokerReload($this->remote, $address))->run(0.1);
        } catch (GoTaskException) {
            // Nothing is loaded here.
        }
        self::assertStringContainsString('HUP', $this->listener->read(5.0)[0]);
        $this->listener->kill();
        $this->assertNotSignalled();
        try {
            (new BrokerReload($this->remote, $address))->run(0.1);
            self::fail('Somebody was asked to reload.');
        } catch (ConnectFailed) {
        }
        UnixSocket::removeDirectory($address);
        $this->assertNotSignalled();
    }

    private function assertNotSignalled(): void
    {
        self::assertStringNotContainsString('HUP', $this->victim->read(0.1)[0]);
    }
}
