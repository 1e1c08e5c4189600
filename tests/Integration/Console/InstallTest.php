<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Console;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Console\Command\InstallCommand;

use function proc_close;
use function proc_open;

use const PHP_BINARY;

/**
 * The program itself, with interpreters that only say what they were called with.
 *
 * @internal
 */
#[CoversClass(InstallCommand::class)]
final class InstallTest extends TestCase
{
    private string $folder;

    protected function setUp(): void
    {
        $this->folder = sys_get_temp_dir() . '/gotask-install-' . bin2hex(random_bytes(4));
        mkdir("{$this->folder}/venv/bin", recursive: true);
        touch("{$this->folder}/requirements.txt");
        file_put_contents("{$this->folder}/venv/bin/python", "#!/bin/sh\necho \"called: \$*\"\n");
        chmod("{$this->folder}/venv/bin/python", 0o755);
    }

    protected function tearDown(): void
    {
        foreach (['venv/bin/python', 'venv/bin', 'venv', 'requirements.txt', 'log', ''] as $name) {
            is_dir("{$this->folder}/{$name}") ? rmdir("{$this->folder}/{$name}") : unlink("{$this->folder}/{$name}");
        }
    }

    public function testInAFileItsOutputIsWhole(): void
    {
        $command = [PHP_BINARY, __DIR__ . '/../../../bin/gotask', 'install', 'requirements.txt', '--venv', 'venv'];
        $log = fopen("{$this->folder}/log", 'w');
        self::assertIsResource($log);
        $process = proc_open($command, [1 => $log, 2 => $log], $pipes, $this->folder);
        self::assertIsResource($process);
        self::assertSame(0, proc_close($process));

        $pip = '-m pip install --disable-pip-version-check --requirement';
        self::assertSame(
            "{$this->folder}/venv/bin/python {$pip} {$this->folder}/requirements.txt\n"
            . "called: {$pip} {$this->folder}/requirements.txt\n"
            . "{$this->folder}/venv has what {$this->folder}/requirements.txt lists\n",
            file_get_contents("{$this->folder}/log"),
        );
    }
}
