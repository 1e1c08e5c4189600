<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Platform\Quietly;
use Swoole\Coroutine;
use Swoole\Error;
use TypeError;

use function function_exists;
use function ini_get;
use function is_int;
use function is_resource;
use function sprintf;

/**
 * An operating system process with pipes to its three standard streams, never through a shell.
 *
 * Its standard input is a lifeline: nothing is written there, and it ends when this process does, however that happens.
 * Waiting is done in stream_select() with a timeout, which Swoole's hooks turn into a yield where they are on.
 *
 * @internal
 */
final class ChildProcess
{
    private const CHUNK = 65_536;

    /** Functions without which no process can be started, or its end not be seen. */
    private const NEEDED = ['proc_open', 'proc_get_status', 'proc_close'];

    public readonly int $pid;

    private ?ExitStatus $exit = null;

    private readonly int $owner;

    /**
     * @param resource $process
     * @param array<int, resource> $pipes
     */
    private function __construct(private mixed $process, private array $pipes, int $pid)
    {
        $this->pid = $pid;
        $this->owner = (int) getmypid();
        stream_set_blocking($pipes[1], false);
        stream_set_blocking($pipes[2], false);
    }

    private function __clone()
    {
    }

    /**
     * @param non-empty-list<string> $command
     * @param null|array<string, string> $environment null: this process's
     * @throws WorkerStartFailed when the program can't be run at all
     */
    public static function start(array $command, ?string $directory = null, ?array $environment = null): self
    {
        $obstacle = self::obstacle();
        if ($obstacle !== null) {
            throw new WorkerStartFailed($obstacle);
        }
        // proc_open() would run it in this process's own directory without a word. What open_basedir hides may be there.
        if ($directory !== null && ! Quietly::call(static fn () => is_dir($directory)) && (string) ini_get('open_basedir') === '') {
            throw new WorkerStartFailed("cannot run {$command[0]} in {$directory}, which is no directory");
        }
        $pipes = [];
        $descriptors = [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']];
        error_clear_last();
        $warning = '';
        $process = Quietly::call(static function () use ($command, $descriptors, &$pipes, $directory, $environment): mixed {
            return proc_open($command, $descriptors, $pipes, $directory, $environment);
        }, $warning);
        if (! is_resource($process)) {
            throw new WorkerStartFailed(sprintf('cannot run %s: %s', $command[0], self::reason($warning)));
        }
        /** @var array<int, resource> $pipes */
        $status = proc_get_status($process);
        $child = new self($process, $pipes, $status['pid']);
        // One that has ended already is asked for its exit code only once, too.
        $child->exit = self::exitOf($status);

        return $child;
    }

    /**
     * @return null|string why PHP can't start any process here, and what to do about that
     */
    public static function obstacle(): ?string
    {
        if (str_starts_with(__DIR__, 'phar://')) {
            return 'Python can\'t read what is inside of a phar archive: take the folder vendor/reasno/gotask/python out of it and deploy the worker apart'
                . ' (`PYTHONPATH=python python -m gotask APP`)';
        }
        $disabled = array_filter(self::NEEDED, static fn (string $name): bool => ! function_exists($name));

        return $disabled === [] ? null : 'PHP may start no processes here: take ' . implode(' and ', $disabled)
            . ' out of disable_functions in php.ini, or deploy the worker apart (`vendor/bin/gotask serve` under a PHP that may, or `python -m gotask`)';
    }

    /**
     * Waits until the process has written something or ended, at most `$timeout` seconds.
     *
     * @return array{string, string} what came on its standard output and its standard error
     */
    public function read(float $timeout): array
    {
        $read = [];
        foreach ([1, 2] as $number) {
            if (isset($this->pipes[$number])) {
                $read[$number] = $this->pipes[$number];
            }
        }
        if ($read === []) {
            // Both ends are closed but the process may still be ending: nothing to select on.
            if ($this->isRunning()) {
                usleep((int) (min($timeout, 0.005) * 1e6));
            }

            return ['', ''];
        }
        $write = $except = null;
        $timeout = max(0.0, $timeout);
        // A signal's arrival ends the wait early with a warning, which is as good as a timeout.
        $ready = ! self::mayWait() ? false : Quietly::call(static function () use (&$read, &$write, &$except, $timeout): false|int {
            return stream_select($read, $write, $except, (int) $timeout, (int) (fmod($timeout, 1.0) * 1e6));
        });
        if ($ready === 0) {
            return ['', ''];
        }
        if ($ready === false) {
            // Or PHP can't wait for these streams here: sleep, so as not to spin.
            usleep((int) (min($timeout, 0.005) * 1e6));
            if (! $this->isReadable()) {
                return ['', ''];
            }
        }

        return [$this->take(1), $this->take(2)];
    }

    public function isRunning(): bool
    {
        return $this->exit() === null;
    }

    /** How it ended; null while it runs. */
    public function exit(): ?ExitStatus
    {
        if ($this->exit !== null || getmypid() !== $this->owner) {
            return $this->exit;
        }
        try {
            // Asked once too often this reports -1 before PHP 8.3: hence the copy.
            $this->exit = self::exitOf(proc_get_status($this->process));
        } catch (TypeError) {
            // Started where Swoole's hooks were on and asked where they are off, or the other way round.
            $this->exit = $this->waitByPid();
        }

        return $this->exit;
    }

    /** To the process alone. */
    public function signal(int $signal): void
    {
        if ($this->isRunning() && getmypid() === $this->owner) {
            self::send($this->pid, $signal) || function_exists('proc_terminate') && Quietly::call(fn () => proc_terminate($this->process, $signal));
        }
    }

    /** Kills it and, where it leads a process group of its own, everything in that. */
    public function kill(): void
    {
        if (getmypid() !== $this->owner) {
            return;
        }
        if (function_exists('posix_getpgid') && posix_getpgid($this->pid) === $this->pid) {
            self::send(-$this->pid, 9);
        }
        $this->signal(9);
    }

    /** Closes the lifeline: a process that watches it ends at once. */
    public function release(): void
    {
        foreach ($this->pipes as $number => $pipe) {
            if ($number === 0 || ! $this->isRunning()) {
                fclose($pipe);
                unset($this->pipes[$number]);
            }
        }
    }

    /**
     * @param array{running: bool, signaled: bool, termsig: int, exitcode: int, ...} $status
     */
    private static function exitOf(array $status): ?ExitStatus
    {
        return match (true) {
            $status['running'] => null,
            $status['signaled'] => new ExitStatus(null, $status['termsig']),
            default => new ExitStatus($status['exitcode'] < 0 ? null : $status['exitcode']),
        };
    }

    /** Whether reading without waiting is possible: of a descriptor above 1023, which PHP can't select, but of no stream of Swoole's where its hooks are off. */
    private function isReadable(): bool
    {
        foreach ([1, 2] as $number) {
            if (isset($this->pipes[$number]) && stream_get_meta_data($this->pipes[$number])['stream_type'] !== 'STDIO') {
                return false;
            }
        }

        return true;
    }

    /** Swoole ends a process that waits outside of coroutines while some exist: in a destructor after an uncaught exception, for instance. */
    private static function mayWait(): bool
    {
        return ! class_exists(Coroutine::class, false) || Coroutine::getCid() !== -1 || Coroutine::stats()['coroutine_num'] === 0;
    }

    private function take(int $number): string
    {
        if (! isset($this->pipes[$number])) {
            return '';
        }
        $bytes = (string) Quietly::call(fn () => fread($this->pipes[$number], self::CHUNK));
        if ($bytes === '' && feof($this->pipes[$number])) {
            fclose($this->pipes[$number]);
            unset($this->pipes[$number]);
        }

        return $bytes;
    }

    private function waitByPid(): ?ExitStatus
    {
        if (function_exists('pcntl_waitpid')) {
            $status = 0;
            // Swoole disables it where coroutines run: then it returns no number.
            $pid = Quietly::call(function () use (&$status): mixed {
                return pcntl_waitpid($this->pid, $status, WNOHANG);
            });
            if ($pid === 0) {
                return null;
            }
            if ($pid === $this->pid && is_int($status)) {
                // As WTERMSIG and WEXITSTATUS do it; some hosts disable PHP's functions for that.
                $signal = $status & 0x7F;

                return $signal !== 0 ? new ExitStatus(null, $signal) : new ExitStatus($status >> 8 & 0xFF);
            }
            if ($pid === -1) {
                return new ExitStatus(null);
            }
        }
        // One that has ended stays as a zombie until somebody waits for it.
        $stat = (string) Quietly::call(fn () => file_get_contents("/proc/{$this->pid}/stat"));

        return preg_match('/\) [ZX] [^)]*$/', $stat) !== 1 && self::send($this->pid, 0) ? null : new ExitStatus(null);
    }

    private static function send(int $pid, int $signal): bool
    {
        return function_exists('posix_kill') && posix_kill($pid, $signal);
    }

    private static function reason(string $warning): string
    {
        $message = $warning !== '' ? $warning : (error_get_last()['message'] ?? 'unknown error');

        return (string) preg_replace('/^proc_open\(\): /', '', $message);
    }
}
