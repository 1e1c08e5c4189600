<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Hyperf;

use Reasno\GoTask\Tests\Port;
use RuntimeException;

use function assert;
use function dirname;
use function is_resource;
use function sprintf;
use function strlen;

/**
 * A real Hyperf application: a copy of the one that GOTASK_HYPERF_APP names, with the controllers of these tests in it.
 */
final class Application
{
    public readonly int $port;

    public readonly string $directory;

    /** Another path to the same folder, by which it is started. */
    public ?string $link = null;

    /** @var null|resource */
    private mixed $server = null;

    public function __construct(string $template)
    {
        $this->directory = sys_get_temp_dir() . '/gotask-hyperf-' . bin2hex(random_bytes(4));
        $this->port = Port::free();
        self::shell(sprintf('cp -a %s %s', escapeshellarg($template), escapeshellarg($this->directory)));
        self::shell(sprintf('rm -rf %s/runtime %1$s/config/autoload/gotask.php %1$s/gotask', $this->directory));
        foreach (self::files(__DIR__ . '/Fixtures/app') as $file) {
            $target = $this->directory . substr($file, strlen(__DIR__ . '/Fixtures/app'));
            is_dir(dirname($target)) || mkdir(dirname($target), 0o777, true);
            copy($file, $target);
        }
    }

    /** As a user does. */
    public function publish(): string
    {
        return $this->console('vendor:publish', 'reasno/gotask')[1];
    }

    /**
     * @param array<string, int|string> $environment
     * @param string ...$options of PHP, such as `-d`
     */
    public function start(array $environment = [], string ...$options): void
    {
        $pipes = [];
        $log = ['file', "{$this->directory}/log.txt", 'w'];
        $server = proc_open(
            [self::php(), ...array_values($options), ($this->link === null ? '' : "{$this->link}/") . 'bin/hyperf.php', 'start'],
            [['file', '/dev/null', 'r'], $log, $log],
            $pipes,
            $this->directory,
            $environment + ['HTTP_PORT' => $this->port, 'GOTASK_WORKERS' => '1'] + getenv(),
        );
        assert(is_resource($server));
        $this->server = $server;
        Wait::until(fn (): bool => $this->get('/bare')[0] === 200, 30.0, fn (): string => "the server does not start:\n{$this->log()}");
    }

    /**
     * @return float the seconds that it took
     */
    public function stop(): float
    {
        $start = microtime(true);
        $this->signal(SIGTERM);
        $this->wait();

        return microtime(true) - $start;
    }

    public function signal(int $signal): void
    {
        posix_kill($this->pid(), $signal);
    }

    /** Until the process that was started has ended. */
    public function wait(): void
    {
        if (is_resource($this->server)) {
            Wait::until(fn (): bool => ! proc_get_status($this->server ?? throw new RuntimeException())['running'], 30.0, fn (): string => "the server does not end:\n{$this->log()}");
            proc_close($this->server);
        }
        $this->server = null;
    }

    public function pid(): int
    {
        return is_resource($this->server) ? proc_get_status($this->server)['pid'] : 0;
    }

    public function isRunning(): bool
    {
        return $this->server !== null;
    }

    /**
     * @return array{int, string} the status and the body; 0: no answer
     */
    public function get(string $path): array
    {
        $context = stream_context_create(['http' => ['ignore_errors' => true, 'timeout' => 20.0]]);
        $body = @file_get_contents("http://127.0.0.1:{$this->port}{$path}", false, $context);

        /** @var list<string> $http_response_header */
        return $body === false ? [0, ''] : [(int) explode(' ', $http_response_header[0] ?? '')[1], $body];
    }

    /**
     * @return array{int, string} the exit code, and what a console command printed
     */
    public function console(string ...$arguments): array
    {
        return $this->run('bin/hyperf.php', ...$arguments);
    }

    /** What a console command wrote on its standard output, to the byte. */
    public function output(string ...$arguments): string
    {
        return (string) shell_exec(sprintf('cd %s && %s 2>/dev/null', escapeshellarg($this->directory), implode(' ', array_map(escapeshellarg(...), [self::php(), 'bin/hyperf.php', ...array_values($arguments)]))));
    }

    /**
     * @return array{int, string}
     */
    public function run(string ...$arguments): array
    {
        $output = [];
        $code = 0;
        exec(sprintf('cd %s && %s 2>&1', escapeshellarg($this->directory), implode(' ', array_map(escapeshellarg(...), [self::php(), ...array_values($arguments)]))), $output, $code);

        return [$code, implode("\n", array_filter($output, static fn (string $line): bool => ! str_contains($line, '[DEBUG]')))];
    }

    public function write(string $path, string $content): void
    {
        file_put_contents("{$this->directory}/{$path}", $content);
    }

    /** What the server said, without what is of no interest. */
    public function log(): string
    {
        $lines = file("{$this->directory}/log.txt", FILE_IGNORE_NEW_LINES) ?: [];

        return implode("\n", array_filter($lines, static fn (string $line): bool => ! str_contains($line, '[DEBUG]')));
    }

    /**
     * @return array<int, string> the command lines of the processes that belong to it, by their numbers
     */
    public function processes(): array
    {
        $found = [];
        foreach (glob('/proc/[0-9]*/cmdline') ?: [] as $file) {
            $command = strtr((string) @file_get_contents($file), "\0", ' ');
            $pid = (int) basename(dirname($file));
            if ($pid !== getmypid() && (str_contains($command, $this->directory) || @readlink("/proc/{$pid}/cwd") === $this->directory)) {
                $found[$pid] = trim($command);
            }
        }

        return $found;
    }

    /**
     * @return int the process whose command line holds this; 0: there is none
     */
    public function find(string $text): int
    {
        foreach ($this->processes() as $pid => $command) {
            if (str_contains($command, $text)) {
                return $pid;
            }
        }

        return 0;
    }

    public function remove(): void
    {
        foreach (array_keys($this->processes()) as $pid) {
            posix_kill($pid, SIGKILL);
        }
        is_resource($this->server) && proc_close($this->server);
        $this->server = null;
        self::shell('rm -rf ' . escapeshellarg($this->directory));
    }

    public static function php(): string
    {
        return getenv('GOTASK_HYPERF_PHP') ?: PHP_BINARY;
    }

    private static function shell(string $command): void
    {
        exec($command, result_code: $code);
        $code === 0 || throw new RuntimeException("{$command} failed");
    }

    /**
     * @return list<string>
     */
    private static function files(string $directory): array
    {
        $files = [];
        foreach (glob("{$directory}/*") ?: [] as $path) {
            $files = [...$files, ...is_dir($path) ? self::files($path) : [$path]];
        }

        return $files;
    }
}
