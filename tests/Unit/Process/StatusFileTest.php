<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Availability;
use Reasno\GoTask\Process\StatusFile;
use Reasno\GoTask\Process\WorkerStatus;

/**
 * @internal
 */
#[CoversClass(StatusFile::class)]
#[CoversClass(WorkerStatus::class)]
final class StatusFileTest extends TestCase
{
    private string $directory;

    protected function setUp(): void
    {
        $this->directory = sys_get_temp_dir() . '/gotask-test-' . bin2hex(random_bytes(6));
        mkdir($this->directory);
    }

    protected function tearDown(): void
    {
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
}
