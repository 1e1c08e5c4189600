<?php

declare(strict_types=1);

namespace Reasno\GoTask\Connection;

use function error_clear_last;
use function error_get_last;
use function fclose;
use function feof;
use function fread;
use function fwrite;
use function intdiv;
use function is_resource;
use function min;
use function stream_select;
use function stream_set_blocking;
use function stream_set_read_buffer;
use function stream_set_write_buffer;
use function strlen;

/**
 * A PHP stream: there wherever PHP is, and the only one that knows TLS and that event loops can watch.
 *
 * @internal
 */
final class StreamTransport implements Transport
{
    /** Bytes read at a time: PHP allocates what it asks for, and a socket buffer holds no more. */
    private const MOST = 262_144;

    private string $error = 'the peer closed it';

    /**
     * @param resource $stream
     */
    public function __construct(public readonly mixed $stream)
    {
        stream_set_blocking($stream, false);
        // The decoder buffers: a second buffer before it would only copy, and hide from select() what it holds.
        stream_set_read_buffer($stream, 0);
        stream_set_write_buffer($stream, 0);
    }

    public function write(string $bytes): int
    {
        error_clear_last();
        $written = @fwrite($this->stream, $bytes);
        if ($written === false || $written === 0 && $this->failed()) {
            return -1;
        }

        return $written;
    }

    public function read(int $length, int $wait): ?string
    {
        if ($wait > 0 && ! $this->select(true, false, $wait)) {
            return '';
        }
        $bytes = @fread($this->stream, min($length, self::MOST));
        if ($bytes !== false && $bytes !== '') {
            return $bytes;
        }

        return feof($this->stream) ? null : '';
    }

    public function poll(int $wait): bool
    {
        return $this->select(true, true, $wait);
    }

    public function stream(): mixed
    {
        return $this->stream;
    }

    public function error(): string
    {
        return $this->error;
    }

    public function close(): void
    {
        if (is_resource($this->stream)) {
            fclose($this->stream);
        }
    }

    /**
     * @return bool whether there is something to read
     */
    private function select(bool $read, bool $write, int $wait): bool
    {
        $reads = $read ? [$this->stream] : [];
        $writes = $write ? [$this->stream] : [];
        $excepts = null;
        // Rounded up: to wake a moment before the deadline would only mean to wait once more.
        $micros = intdiv($wait + 999, 1000);
        // False and a warning when a signal came: its handler runs, and the caller looks at the clock.
        $ready = @stream_select($reads, $writes, $excepts, intdiv($micros, 1_000_000), $micros % 1_000_000);

        return $ready !== false && $ready > 0 && $reads !== [];
    }

    /**
     * Whether a write of no bytes means more than a full buffer.
     */
    private function failed(): bool
    {
        $error = error_get_last();
        if ($error === null || strlen($error['message']) === 0) {
            return false;
        }
        $this->error = $error['message'];

        return true;
    }
}
