<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use Closure;
use ErrorException;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\Files;
use Reasno\GoTask\Process\Status\StatusFile;
use Reasno\GoTask\Process\Status\WorkerStatus;
use Reasno\GoTask\Process\Supervision\Reload;
use RuntimeException;

use function function_exists;

/**
 * @internal
 */
#[CoversClass(StatusFile::class)]
#[CoversClass(Files::class)]
#[CoversClass(Reload::class)]
#[CoversClass(WorkerStatus::class)]
final class StatusFileTest extends TestCase
{
    private const NOBODY = 65_534;

    private string $directory;

    private ?ChildProcess $victim = null;

    protected function setUp(): void
    {
        $this->directory = sys_get_temp_dir() . '/gotask-test-' . bin2hex(random_bytes(6));
        mkdir($this->directory);
    }

    protected function tearDown(): void
    {
        $this->victim?->kill();
        array_map(unlink(...), glob("{$this->directory}/*") ?: []);
        rmdir($this->directory);
    }

    public function testItLiesBesideTheSocket(): void
    {
        $file = new StatusFile("unix://{$this->directory}/x.sock");
        $file->write($this->told(Availability::Ready));

        self::assertFileExists("{$this->directory}/x.sock.status");
        self::assertTrue($file->available());
        self::assertSame(getmypid(), $file->read()?->supervisor);
        $file->remove();
        self::assertNull($file->available());
    }

    #[TestWith(['tcp://127.0.0.1:1'])]
    #[TestWith(['unix:///proc/gotask/x.sock'])]
    #[TestWith(['unix:///tmp/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789'])]
    public function testItLiesElsewhereWhereThatIsNotPossible(string $address): void
    {
        $file = new StatusFile($address);
        try {
            $file->write($this->told(Availability::Starting));
            self::assertFalse((new StatusFile($address))->available());
        } finally {
            $file->remove();
        }
    }

    public function testAFailureIsTheCallersError(): void
    {
        $file = new StatusFile("unix://{$this->directory}/x.sock");
        $file->write($this->told(Availability::Failed, 'no module named pandas'));

        $this->expectException(WorkerStartFailed::class);
        $this->expectExceptionMessage('no module named pandas');
        $file->available();
    }

    public function testWhatAProcessThatIsGoneHasSaidDoesNotCount(): void
    {
        $file = new StatusFile("unix://{$this->directory}/x.sock");
        $process = proc_open(['true'], [], $pipes);
        self::assertIsResource($process);
        $pid = proc_get_status($process)['pid'];
        $status = WorkerStatus::of(Availability::Failed, '', $pid, 0);
        proc_close($process);
        $file->write($status);

        self::assertNull($file->read());
    }

    public function testNorWhatOneOfTheSameNumberHasSaidBefore(): void
    {
        $file = new StatusFile("unix://{$this->directory}/x.sock");
        $fields = $this->told(Availability::Failed)->toArray();
        file_put_contents("{$this->directory}/x.sock.status", json_encode(['owner_started' => '1'] + $fields));

        self::assertNull($file->read());
    }

    #[TestWith([''])]
    #[TestWith(['{"state": "odd"}'])]
    #[TestWith(['[1, 2]'])]
    public function testRubbishIsNoStatus(string $content): void
    {
        file_put_contents("{$this->directory}/x.sock.status", $content);

        self::assertNull((new StatusFile("unix://{$this->directory}/x.sock"))->read());
    }

    private function told(Availability $availability, string $message = ''): WorkerStatus
    {
        return WorkerStatus::of($availability, $message, (int) getmypid(), (int) getmypid());
    }

    public function testAnotherUsersDirectoryIsNeitherWrittenNorRemovedFrom(): void
    {
        $this->mustBeRoot();
        chown($this->directory, self::NOBODY);
        file_put_contents("{$this->directory}/x.sock.status", 'theirs');
        chown("{$this->directory}/x.sock.status", self::NOBODY);
        $file = new StatusFile("unix://{$this->directory}/x.sock");
        $file->write($this->told(Availability::Ready));
        $said = $file->read();
        $file->remove();

        self::assertSame(Availability::Ready, $said?->availability, 'it is said elsewhere');
        self::assertSame(['x.sock.status'], array_values(array_diff(scandir($this->directory) ?: [], ['.', '..'])));
        self::assertSame('theirs', file_get_contents("{$this->directory}/x.sock.status"));
    }

    public function testADirectoryThatEverybodyCanChangeIsNotWrittenTo(): void
    {
        chmod($this->directory, 0o777);
        $file = new StatusFile("unix://{$this->directory}/x.sock");
        $file->write($this->told(Availability::Ready));

        self::assertFileDoesNotExist("{$this->directory}/x.sock.status");
        $file->remove();
    }

    public function testNobodyWritesOrReadsThroughALink(): void
    {
        file_put_contents("{$this->directory}/victim", json_encode($this->told(Availability::Failed, 'forged')->toArray()));
        chmod("{$this->directory}/victim", 0o600);
        $content = file_get_contents("{$this->directory}/victim");
        $path = "{$this->directory}/x.sock.status";
        symlink("{$this->directory}/victim", $path);
        $file = new StatusFile("unix://{$this->directory}/x.sock");
        self::assertNull($file->read());

        $file->write($this->told(Availability::Ready));

        self::assertFalse(is_link($path));
        self::assertSame(0o644, fileperms($path) & 0o777);
        self::assertSame([$content, 0o600], [file_get_contents("{$this->directory}/victim"), fileperms("{$this->directory}/victim") & 0o777]);
        unlink($path);
        symlink("{$this->directory}/victim", $path);
        $file->remove();
        self::assertFileExists("{$this->directory}/victim");
    }

    public function testThePrivateStatusFileIsBelievedOfThisUserAndRootAlone(): void
    {
        $this->mustBeRoot();
        $address = 'tcp://127.0.0.1:' . random_int(1, 65_535);
        $file = new StatusFile($address);
        $file->write($this->told(Availability::Ready));
        $paths = glob(sys_get_temp_dir() . '/gotask-*-' . substr(hash('sha256', $address), 0, 16) . '.status') ?: [];
        self::assertCount(1, $paths);
        self::assertTrue($file->available());
        chown($paths[0], self::NOBODY);
        try {
            self::assertNull($file->read());
        } finally {
            unlink($paths[0]);
        }
    }

    public function testTheOwnerOfTheDirectoryIsBelievedThereAndNobodyElse(): void
    {
        $this->mustBeRoot();
        $path = "{$this->directory}/x.sock.status";
        $file = new StatusFile("unix://{$this->directory}/x.sock");
        $file->write($this->told(Availability::Ready));
        chown($path, self::NOBODY);
        self::assertNull($file->read(), "somebody else's file in this user's directory");
        chown($this->directory, self::NOBODY);
        self::assertTrue($file->available(), "a file of the directory's owner");
        chmod($this->directory, 0o777);
        self::assertNull($file->read(), 'a directory that everybody can write to');
    }

    public function testARequestToReloadGoesToNoProcessOfAnotherUserThanTheWriter(): void
    {
        $this->mustBeRoot();
        [$victim, $heard] = $this->listensForSighup();
        $path = "{$this->directory}/x.sock.status";
        file_put_contents($path, json_encode(WorkerStatus::of(Availability::Ready, '', 0, $victim->pid)->toArray()));
        chown($path, self::NOBODY);
        chown($this->directory, self::NOBODY);

        self::assertNull(Reload::request("unix://{$this->directory}/x.sock"));
        self::assertFalse($heard());
        chown($path, 0);
        self::assertNotNull(Reload::request("unix://{$this->directory}/x.sock"), 'its own user may ask it');
        self::assertTrue($heard());
    }

    public function testNorToALaterProcessOfTheSameNumber(): void
    {
        [$victim, $heard] = $this->listensForSighup();
        $fields = WorkerStatus::of(Availability::Ready, '', 0, $victim->pid)->toArray();
        file_put_contents("{$this->directory}/x.sock.status", json_encode(['supervisor_started' => '1'] + $fields));

        self::assertNull(Reload::request("unix://{$this->directory}/x.sock"));
        self::assertFalse($heard());
    }

    private function mustBeRoot(): void
    {
        if (! function_exists('posix_geteuid') || posix_geteuid() !== 0) {
            self::markTestSkipped('Only root can give a file to another user.');
        }
    }

    /**
     * @return array{ChildProcess, Closure(): bool} a process, and whether it has got a SIGHUP
     */
    private function listensForSighup(): array
    {
        $child = $this->victim = ChildProcess::start(['sh', '-c', 'trap "echo HUP" HUP; echo up; while :; do sleep 0.02; done']);
        self::assertStringContainsString('up', $child->read(5.0)[0]);

        return [$child, static fn (): bool => str_contains($child->read(0.2)[0], 'HUP')];
    }

    public function testWhatASignalsHandlerThrowsWhileAFileIsLookedAtIsNotSwallowed(): void
    {
        $this->expectExceptionMessage('Time is over.');

        Quietly::call(static fn () => throw new RuntimeException('Time is over.'));
    }

    public function testAnErrorHandlerThatThrowsIsNoObstacle(): void
    {
        set_error_handler(static fn (int $level, string $message) => throw new ErrorException($message));

        try {
            self::assertFalse(Quietly::call(static fn () => stat('/no/such/file')));
        } finally {
            restore_error_handler();
        }
    }
}
