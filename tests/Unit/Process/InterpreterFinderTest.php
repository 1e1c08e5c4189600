<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Process\Child\InterpreterFinder;

use function array_slice;
use function dirname;

/**
 * @internal
 */
#[CoversClass(InterpreterFinder::class)]
final class InterpreterFinderTest extends TestCase
{
    private string $project;

    protected function setUp(): void
    {
        $this->project = sys_get_temp_dir() . '/finder-' . bin2hex(random_bytes(4));
        mkdir($this->project);
        putenv('GOTASK_PYTHON');
        InterpreterFinder::forget();
    }

    protected function tearDown(): void
    {
        InterpreterFinder::forget();
        exec('/bin/rm -r ' . escapeshellarg($this->project));
    }

    public function testAProjectsVirtualEnvironmentsComeBeforeThePath(): void
    {
        $venv = $this->interpreter('.venv/bin/python');
        $runtime = $this->interpreter('runtime/gotask/venv/bin/python');
        $onPath = $this->interpreter('bin/python3');
        $this->interpreter('later/python3');
        putenv("PATH=/nowhere:{$this->project}/bin:{$this->project}/later");

        $candidates = (new InterpreterFinder(null, $this->project))->candidates();

        self::assertSame([$venv, $runtime, $onPath], array_slice($candidates, 0, 3));
        foreach (array_slice($candidates, 3) as $usual) {
            self::assertContains($usual, ['/usr/bin/python3', '/usr/local/bin/python3']);
        }
    }

    public function testANamedInterpreterIsTheOnlyCandidate(): void
    {
        $this->interpreter('.venv/bin/python');
        self::assertSame(['py'], (new InterpreterFinder('py', $this->project))->candidates());

        putenv('GOTASK_PYTHON=other');
        self::assertSame(['other'], (new InterpreterFinder(null, $this->project))->candidates());
        self::assertSame(['py'], (new InterpreterFinder('py', $this->project))->candidates());
    }

    public function testTheSameInterpreterIsNotTriedTwice(): void
    {
        putenv('PATH=/usr/bin:/bin');
        $candidates = (new InterpreterFinder(null, $this->project))->candidates();

        self::assertSame(array_unique($candidates), $candidates);
        self::assertNotContains('/bin/python3', array_slice($candidates, 1));
    }

    public function testWhatWorkedIsTriedFirstFromThenOn(): void
    {
        $this->interpreter('.venv/bin/python');
        $second = $this->interpreter('venv/bin/python');
        (new InterpreterFinder(null, $this->project))->remember($second);
        $again = (new InterpreterFinder(null, $this->project))->candidates();

        self::assertSame($second, $again[0]);
        self::assertSame(array_unique($again), $again);
    }

    private function interpreter(string $path): string
    {
        $path = "{$this->project}/{$path}";
        is_dir(dirname($path)) || mkdir(dirname($path), recursive: true);
        touch($path);
        chmod($path, 0o755);

        return $path;
    }
}
