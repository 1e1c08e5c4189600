<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Platform\Select;

use function strlen;

/**
 * Writes lines to a stream that perhaps nobody reads, and never waits for that: what does not fit is kept, at most 1 MiB of it, and
 * lines beyond are dropped and counted.
 *
 * It leaves the stream in blocking mode, which belongs to all processes that have it, and looks before each write.
 *
 * @internal
 */
final class LogStream
{
    private const LIMIT = 1_048_576;

    /** Bytes: so many fit into a pipe or a socket that is writable (PIPE_BUF). A terminal takes less. */
    private const PIECE = 4096;
    private const TERMINAL_PIECE = 256;

    private string $waiting = '';

    private int $dropped = 0;

    private readonly int $piece;

    /**
     * @param resource $stream
     */
    public function __construct(private readonly mixed $stream)
    {
        $this->piece = stream_isatty($stream) ? self::TERMINAL_PIECE : self::PIECE;
    }

    /**
     * @param string $line with its end
     * @return bool whether it was taken
     */
    public function write(string $line): bool
    {
        $this->flush();
        if ($this->waiting !== '' && strlen($this->waiting) + strlen($line) > self::LIMIT) {
            $this->dropped++;

            return false;
        }
        $this->waiting .= $line;
        $this->flush();

        return true;
    }

    /** How many lines were dropped since the last call of this; 0 while there is no room to say so. */
    public function dropped(): int
    {
        if ($this->waiting !== '') {
            return 0;
        }
        [$dropped, $this->dropped] = [$this->dropped, 0];

        return $dropped;
    }

    /**
     * Writes what waits, as far as that is possible.
     *
     * @param float $timeout seconds to wait for a reader
     */
    public function flush(float $timeout = 0.0): void
    {
        $until = hrtime(true) + (int) ($timeout * 1e9);
        $offset = 0;
        while ($offset < strlen($this->waiting) && $this->isWritable((int) max(0, $until - hrtime(true)))) {
            $written = Quietly::call(fn () => fwrite($this->stream, substr($this->waiting, $offset, $this->piece)));
            if ($written === 0) {
                // Another process was quicker.
                break;
            }
            if ($written === false) {
                // The reader is gone.
                $this->dropped += substr_count($this->waiting, "\n", $offset);
                $offset = strlen($this->waiting);
                break;
            }
            $offset += $written;
        }
        $this->waiting = substr($this->waiting, $offset);
    }

    private function isWritable(int $nanoseconds): bool
    {
        [$reads, $writes] = [[], [$this->stream]];

        return Select::streams($reads, $writes, $nanoseconds) === 1;
    }
}
