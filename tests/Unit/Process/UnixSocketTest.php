<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Process\Status\UnixSocket;

use function dirname;

#[CoversClass(UnixSocket::class)]
final class UnixSocketTest extends TestCase
{
    private const NOBODY = 65_534;

    private string $address;

    private string $path;

    protected function setUp(): void
    {
        $this->address = UnixSocket::fresh();
        $this->path = (string) UnixSocket::path($this->address);
        mkdir(dirname($this->path), 0o700);
    }

    protected function tearDown(): void
    {
        UnixSocket::removeDirectory($this->address);
    }

    public function testWhatAKilledBrokerLeftIsRemoved(): void
    {
        $this->listenAndLeave();
        touch("{$this->path}.lock");
        UnixSocket::removeStale($this->address);

        self::assertSame([], glob(dirname($this->path) . '/*'));
    }

    public function testNotWhatSomebodyServes(): void
    {
        $this->listenAndLeave();
        $lock = fopen("{$this->path}.lock", 'c');
        self::assertNotFalse($lock);
        flock($lock, LOCK_EX);
        UnixSocket::removeStale($this->address);

        self::assertFileExists($this->path);
        fclose($lock);
    }

    public function testALockThatIsALinkIsNotFollowed(): void
    {
        $this->listenAndLeave();
        $victim = dirname($this->path) . '/victim';
        symlink($victim, "{$this->path}.lock");
        UnixSocket::removeStale($this->address);
        UnixSocket::awaitUnused($this->address, 0.1);

        self::assertFileDoesNotExist($victim);
    }

    public function testAnotherUsersDirectoryIsLeftAsItIs(): void
    {
        if (! chown(dirname($this->path), self::NOBODY)) {
            self::markTestSkipped('Only root can give a directory to another user.');
        }
        $this->listenAndLeave();
        UnixSocket::removeStale($this->address);

        self::assertSame([$this->path], glob(dirname($this->path) . '/*'));
    }

    #[RequiresPhpExtension('sockets')]
    public function testTheKernelKnowsWhoListens(): void
    {
        self::assertNull(UnixSocket::listener($this->address));
        $server = stream_socket_server($this->address);
        self::assertSame(getmypid(), UnixSocket::listener($this->address));
        self::assertNull(UnixSocket::listener('tcp://127.0.0.1:1'));
        self::assertNotFalse($server);
        fclose($server);
    }

    private function listenAndLeave(): void
    {
        $server = stream_socket_server($this->address);
        self::assertNotFalse($server);
        fclose($server);
        self::assertFileExists($this->path);
    }
}
