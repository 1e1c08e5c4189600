<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Runtime\Stream;

use ErrorException;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Runtime\Stream\StreamTransport;

use function fclose;
use function fread;
use function fwrite;
use function hrtime;
use function memory_get_usage;
use function str_repeat;
use function stream_set_blocking;
use function stream_socket_pair;
use function strlen;

use const STREAM_PF_UNIX;
use const STREAM_SOCK_STREAM;

/**
 * @internal
 */
#[CoversClass(StreamTransport::class)]
final class StreamTransportTest extends TestCase
{
    private StreamTransport $transport;

    /** @var resource */
    private $other;

    protected function setUp(): void
    {
        HighDescriptorsTest::take();
        $pair = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        self::assertIsArray($pair);
        $this->transport = new StreamTransport($pair[0]);
        $this->other = $pair[1];
        stream_set_blocking($this->other, false);
    }

    public function testItReadsAndWritesWhatIsThere(): void
    {
        self::assertSame(5, $this->transport->write('hello'));
        self::assertSame('hello', fread($this->other, 100));
        self::assertSame('', $this->transport->read(100, 0));
        fwrite($this->other, 'you there');
        self::assertSame('you', $this->transport->read(3, 1_000_000_000));
        self::assertSame(' there', $this->transport->read(100, 0));
    }

    public function testWhatALargeReadBringsTakesNoMoreThanItHas(): void
    {
        // What comes of 24 MiB until the time is over, or a signal comes.
        fwrite($this->other, str_repeat('x', 100_000));
        $before = memory_get_usage();
        $bytes = $this->transport->read(24 * 1_048_576, 20_000_000);
        self::assertSame(str_repeat('x', 100_000), $bytes);
        self::assertLessThan(1_000_000, memory_get_usage() - $before);
    }

    public function testAWriteTakesWhatFitsAndDoesNotWait(): void
    {
        $large = str_repeat('x', 10_000_000);
        $written = $this->transport->write($large);
        self::assertGreaterThan(0, $written);
        self::assertLessThan(strlen($large), $written);
        self::assertSame(0, $this->transport->write($large));
        self::assertFalse($this->transport->poll(1_000_000));
        fwrite($this->other, 'x');
        self::assertTrue($this->transport->poll(1_000_000));
        while (fread($this->other, 1_000_000) !== '');

        self::assertGreaterThan(0, $this->transport->write($large));
    }

    public function testAnErrorHandlerThatThrowsForSuppressedWarningsMakesNoDifference(): void
    {
        set_error_handler(static fn (int $level, string $message) => throw new ErrorException($message));

        try {
            fclose($this->other);
            self::assertSame(-1, $this->transport->write('hello'));
            self::assertNotSame('the peer closed it', $this->transport->error());
        } finally {
            restore_error_handler();
        }
    }

    #[RequiresPhpExtension('pcntl')]
    #[RequiresPhpExtension('posix')]
    public function testASignalIsNoErrorForSuchAHandlerEither(): void
    {
        $isAsync = pcntl_async_signals(true);
        $heeded = false;
        pcntl_signal(SIGUSR2, static function () use (&$heeded): void {
            $heeded = true;
        });
        $child = pcntl_fork();
        if ($child === 0) {
            usleep(20_000);
            posix_kill(posix_getppid(), SIGUSR2);
            posix_kill((int) getmypid(), SIGKILL);
        }
        set_error_handler(static fn (int $level, string $message) => throw new ErrorException($message));

        try {
            while (! $heeded) {
                self::assertSame('', $this->transport->read(100, 200_000_000));
            }
        } finally {
            restore_error_handler();
            pcntl_waitpid($child, $status);
            pcntl_signal(SIGUSR2, SIG_DFL);
            pcntl_async_signals($isAsync);
        }
    }

    public function testAReadWaitsNoLongerThanItMay(): void
    {
        foreach ([20, 5, 40, 39] as $milliseconds) {
            $start = hrtime(true);
            do {
                // What the caller does: the kernel may wake it a moment before.
                $left = $start + $milliseconds * 1_000_000 - hrtime(true);
                self::assertSame('', $this->transport->read(10, (int) max(0, $left)));
            } while ($left > 0);
            self::assertLessThan($milliseconds + 5000, (hrtime(true) - $start) / 1e6);
        }
    }

    public function testTheEndIsToldAfterWhatCameBeforeIt(): void
    {
        fwrite($this->other, 'last');
        fclose($this->other);
        self::assertSame('last', $this->transport->read(100, 1_000_000));
        self::assertNull($this->transport->read(100, 1_000_000));
        self::assertSame(-1, $this->transport->write('x'));
        self::assertNotSame('', $this->transport->error());
        $this->transport->close();
        $this->transport->close();
    }
}
