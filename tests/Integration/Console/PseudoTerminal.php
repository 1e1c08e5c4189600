<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Console;

use PHPUnit\Framework\Assert;

use function assert;
use function is_int;
use function is_resource;
use function strlen;

/**
 * A terminal with a program in it: what it shows, and keys.
 */
final class PseudoTerminal
{
    /** What `stty` says of it before the program has set anything. */
    public readonly string $before;

    /** @var resource */
    private mixed $process;

    /** @var resource */
    private mixed $master;

    private string $output = '';

    /** @var resource which keeps the terminal when the program has ended */
    private mixed $slave;

    /**
     * @param list<string> $command
     */
    public function __construct(array $command, int $lines = 24, int $columns = 100)
    {
        // The program begins after a line has come.
        $process = proc_open(['sh', '-c', 'tty && read go && exec "$@"', 'sh', ...$command], [['pty'], ['pty'], ['pty']], $pipes, null, ['TERM' => 'xterm'] + getenv());
        assert(is_resource($process));
        [$this->process, $this->master] = [$process, $pipes[0]];
        $slave = fopen(trim((string) fgets($this->master)), 'r+');
        assert($slave !== false);
        $this->slave = $slave;
        stream_set_blocking($this->master, false);
        $this->resize($lines, $columns);
        $this->before = $this->settings();
        $this->press("\n");
    }

    public function resize(int $lines, int $columns): void
    {
        $this->stty('rows', (string) $lines, 'cols', (string) $columns);
    }

    /** How it is set now. */
    public function settings(): string
    {
        return $this->stty('-g');
    }

    /**
     * @param int|string $key what the key sends; or a signal
     */
    public function press(int|string $key): void
    {
        is_int($key) ? proc_terminate($this->process, $key) : fwrite($this->master, $key);
    }

    /**
     * Waits for a frame.
     *
     * @return string the frame without colours
     */
    public function see(string $pattern): string
    {
        $frame = '';
        for ($until = hrtime(true) + 20_000_000_000; hrtime(true) < $until; $this->read()) {
            // The last frame that is whole.
            $frames = explode("\e[H", $this->output);
            $frame = str_ends_with(end($frames), "\e[J") ? end($frames) : (string) prev($frames);
            $frame = (string) preg_replace(['~\e\[[0-9;?]*[A-Za-z]~', '~\r~'], '', $frame);
            if (preg_match($pattern, $frame) === 1) {
                return $frame;
            }
        }
        Assert::fail("{$pattern} was not seen, but:\n{$frame}");
    }

    public function output(): string
    {
        return $this->output;
    }

    /** Until the program has ended. */
    public function wait(): void
    {
        for ($until = hrtime(true) + 20_000_000_000; proc_get_status($this->process)['running']; $this->read()) {
            Assert::assertLessThan($until, hrtime(true), 'it does not end');
        }
        $this->read();
    }

    public function end(): void
    {
        if (is_resource($this->process)) {
            proc_terminate($this->process, SIGKILL);
            proc_close($this->process);
        }
    }

    private function read(): void
    {
        [$reads, $none] = [[$this->master], null];
        stream_select($reads, $none, $none, 0, 20_000);
        $this->output .= (string) fread($this->master, 65536);
        // Old frames are of no interest.
        if (strlen($this->output) > 1_000_000) {
            $this->output = substr($this->output, -100_000);
        }
    }

    private function stty(string ...$arguments): string
    {
        $process = proc_open(['stty', ...array_values($arguments)], [$this->slave, ['pipe', 'w']], $pipes);
        assert(is_resource($process));
        $answer = (string) stream_get_contents($pipes[1]);
        proc_close($process);

        return $answer;
    }
}
