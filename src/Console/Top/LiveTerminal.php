<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Platform\Select;

use function feof;
use function fread;
use function function_exists;
use function fwrite;
use function implode;
use function strlen;

/**
 * A terminal that shows frames in the place of what was on it, gives each key as it is pressed, and becomes again what it was, however
 * that ends. It is set by `stty`.
 *
 * @internal
 */
final class LiveTerminal
{
    /** The alternate screen, no cursor, no wrapping of lines; and back. */
    private const OPEN = "\e[?1049h\e[?25l\e[?7l";
    private const CLOSE = "\e[?7h\e[?25h\e[?1049l";

    /** What `stty` says that the terminal was set to; empty: it is not ours. */
    private string $before = '';

    private bool $ended = false;

    /**
     * @param resource $input
     * @param resource $output
     */
    public function __construct(private readonly mixed $input, private readonly mixed $output)
    {
    }

    /**
     * @return bool whether it is a terminal that can be set
     */
    public function open(): bool
    {
        if (! stream_isatty($this->input) || ! stream_isatty($this->output)) {
            return false;
        }
        $this->before = trim($this->stty('-g'));
        if ($this->before === '') {
            return false;
        }
        // Ctrl-C is a key like any other: so it interrupts no frame.
        $this->stty('-icanon', '-echo', '-isig', '-ixon', 'min', '1', 'time', '0');
        $this->write(self::OPEN);
        // Also after a fatal error.
        register_shutdown_function($this->close(...));
        if (function_exists('pcntl_async_signals') && function_exists('pcntl_signal')) {
            pcntl_async_signals(true);
            foreach ([SIGTERM, SIGINT, SIGHUP] as $signal) {
                pcntl_signal($signal, function (): void {
                    $this->ended = true;
                });
            }
            // Waiting for a key ends, and the next frame has the new size.
            pcntl_signal(SIGWINCH, static fn () => null);
        }

        return true;
    }

    public function close(): void
    {
        if ($this->before !== '') {
            $this->write(self::CLOSE);
            $this->stty($this->before);
            $this->before = '';
        }
    }

    /** Whether it has gone away, or somebody has ended this process. */
    public function hasEnded(): bool
    {
        return $this->ended;
    }

    /**
     * @return array{int, int} columns and lines to draw in, as they are now. The last column is left out: what is written there would be erased
     *                         with what was behind the line
     */
    public function size(): array
    {
        return preg_match('/^([1-9]\d*) ([1-9]\d*)/', $this->stty('size'), $size) === 1 ? [(int) $size[2] - 1, (int) $size[1]] : [79, 24];
    }

    /**
     * In one write, over what is there: nothing is seen half done.
     *
     * @param list<string> $lines
     */
    public function show(array $lines): void
    {
        $this->write("\e[H" . implode("\e[K\r\n", $lines) . "\e[K\e[J");
    }

    /**
     * @param float $timeout seconds to wait for the first one; less when the terminal's size changes
     * @return list<string>
     */
    public function keys(float $timeout): array
    {
        [$reads, $writes] = [[$this->input], []];
        if (Select::streams($reads, $writes, (int) max(0, $timeout * 1e9)) !== 1) {
            return [];
        }
        $bytes = (string) Quietly::call(fn () => fread($this->input, 1024));
        $this->ended = $this->ended || $bytes === '' && feof($this->input);

        return Keys::of($bytes);
    }

    private function write(string $bytes): void
    {
        for ($written = 0; $written < strlen($bytes); $written += $count) {
            $count = (int) Quietly::call(fn () => fwrite($this->output, substr($bytes, $written)));
            if ($count === 0) {
                $this->ended = true;

                return;
            }
        }
    }

    /**
     * @return string what it says; empty where it can't be had
     */
    private function stty(string ...$arguments): string
    {
        if (! function_exists('proc_open')) {
            return '';
        }
        $pipes = [];
        $process = Quietly::call(function () use ($arguments, &$pipes) {
            return proc_open(['stty', ...array_values($arguments)], [$this->input, ['pipe', 'w'], ['file', '/dev/null', 'w']], $pipes);
        });
        if ($process === false || ! isset($pipes[1])) {
            return '';
        }
        $answer = (string) stream_get_contents($pipes[1]);
        fclose($pipes[1]);

        return proc_close($process) === 0 ? $answer : '';
    }
}
