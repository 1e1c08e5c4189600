<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

use ErrorException;
use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Platform\Select;

use function error_clear_last;
use function error_get_last;
use function fclose;
use function feof;
use function fread;
use function fwrite;
use function getmypid;
use function intdiv;
use function is_resource;
use function max;
use function min;
use function stream_get_meta_data;
use function stream_set_blocking;
use function stream_set_read_buffer;
use function stream_set_timeout;
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

    /** Bytes. */
    private const READ_AHEAD = 65_536;

    /** ns after which a read that waits by itself lets a signal's handler run. */
    private const PATIENCE = 50_000_000;

    /** @var list<resource> TLS of the process that this one was forked from, where it can't be let go of */
    private static array $kept = []; // @phpstan-ignore property.onlyWritten (to be in it keeps a stream open)

    private readonly int $pid;

    private readonly bool $isEncrypted;

    private string $error = 'the peer closed it';

    /** What had to be read to find that there is something to read. */
    private string $ahead = '';

    /**
     * @param resource $stream
     */
    public function __construct(public readonly mixed $stream)
    {
        stream_set_blocking($stream, false);
        // FrameDecoder buffers. A second buffer would only copy, and hide its bytes from select().
        stream_set_read_buffer($stream, 0);
        stream_set_write_buffer($stream, 0);
        $this->pid = (int) getmypid();
        $this->isEncrypted = isset(stream_get_meta_data($stream)['crypto']);
        if ($this->isEncrypted) {
            Inherited::watch($this, static function () use ($stream): void {
                if (is_resource($stream)) {
                    Descriptor::detachStream($stream);
                }
            });
        }
    }

    public function __destruct()
    {
        if ($this->isEncrypted && $this->pid !== getmypid()) {
            $this->close();
        }
    }

    public function write(string $bytes): int
    {
        error_clear_last();

        try {
            $written = @fwrite($this->stream, $bytes);
        } catch (ErrorException $warning) {
            $this->error = $warning->getMessage();

            return -1; // see Quietly, which would cost time here
        }
        if ($written === false || $written === 0 && $this->failed()) {
            return -1;
        }

        return $written;
    }

    public function read(int $length, int $wait): ?string
    {
        if ($this->ahead !== '') {
            [$bytes, $this->ahead] = [$this->ahead, ''];

            return $bytes;
        }
        if ($wait > 0) {
            if (! $this->select(false, $wait, $length)) {
                return '';
            }
            if ($this->ahead !== '') {
                return $this->read($length, 0);
            }
        }

        try {
            $bytes = @fread($this->stream, min($length, self::MOST));
        } catch (ErrorException) {
            return null;
        }
        if ($bytes !== false && $bytes !== '') {
            return $bytes;
        }

        return feof($this->stream) ? null : '';
    }

    public function poll(int $wait): bool
    {
        return $this->select(true, $wait);
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
        if (! is_resource($this->stream)) {
            return;
        }
        if ($this->isEncrypted && $this->pid !== getmypid() && ! Descriptor::detachStream($this->stream)) {
            // The stream is the parent's. Kept open, it ends the parent's TLS as late as possible.
            self::$kept[] = $this->stream;

            return;
        }
        fclose($this->stream);
    }

    /**
     * @param int<1, max> $length bytes that are to be read
     * @return bool whether there is something to read, or the end
     * @phpstan-impure
     */
    private function select(bool $write, int $wait, int $length = self::READ_AHEAD): bool
    {
        $reads = [$this->stream];
        $writes = $write ? [$this->stream] : [];
        $ready = Select::streams($reads, $writes, $wait);

        return $ready === null ? $this->readAhead(min($length, self::MOST), min($wait, $write ? Select::PAUSE : self::PATIENCE)) : $ready > 0 && $reads !== [];
    }

    /**
     * Waits by a blocking read, that is by poll(2), which takes descriptors of any number.
     *
     * @param int<1, max> $length bytes
     * @return bool whether there is something to read, or the end
     */
    private function readAhead(int $length, int $wait): bool
    {
        $micros = max(1, intdiv($wait, 1000));
        stream_set_blocking($this->stream, true);
        stream_set_timeout($this->stream, intdiv($micros, 1_000_000), $micros % 1_000_000);
        $this->ahead = (string) Quietly::call(fn () => fread($this->stream, $length));
        stream_set_blocking($this->stream, false);

        return $this->ahead !== '' || feof($this->stream);
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
