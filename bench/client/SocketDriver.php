<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use RuntimeException;

use function fread;
use function fwrite;
use function hrtime;
use function intdiv;
use function strlen;
use function substr;

/**
 * Bytes to a bare echo and back, without any protocol: the floor below everything else.
 */
final class SocketDriver implements ConcurrentDriver
{
    private const PIECE = 65_536;

    /** @var resource */
    private $stream;

    public function __construct(string $address)
    {
        $this->stream = stream_socket_client($address) ?: throw new RuntimeException("{$address}: no connection");
        stream_set_read_buffer($this->stream, 0);
    }

    public function call(string $payload): void
    {
        $frame = self::frame($payload);
        $length = strlen($frame);
        for ($sent = 0, $received = 0; $received < $length;) {
            // At most 64 KiB are under way: neither side reads while it writes.
            if ($sent < $length) {
                $sent += (int) fwrite($this->stream, $length <= self::PIECE ? $frame : substr($frame, $sent, self::PIECE));
            }
            while ($received < $sent) {
                $received += strlen($this->read());
            }
        }
    }

    public function many(string $payload, int $concurrency, int $until): array
    {
        $frame = self::frame($payload);
        $length = strlen($frame);
        // What is under way fits the buffers, for the same reason.
        $concurrency = max(1, min($concurrency, intdiv(self::PIECE, $length)));
        $sent = $times = [];
        $now = hrtime(true);
        for ($number = 0; $number < $concurrency; $number++) {
            $sent[$number] = $now;
        }
        if ($length > self::PIECE) {
            for (; $now < $until; $now = hrtime(true)) {
                $this->call($payload);
                $times[] = hrtime(true) - $now;
            }

            return $times;
        }
        fwrite($this->stream, str_repeat($frame, $concurrency));
        for ($answers = 0, $bytes = 0; $answers < $number;) {
            $bytes += strlen($this->read());
            $complete = intdiv($bytes, $length);
            $now = hrtime(true);
            $first = $number;
            while ($answers < $complete) {
                $times[] = $now - $sent[$answers++ % $concurrency];
                if ($now < $until) {
                    $sent[$number++ % $concurrency] = $now;
                }
            }
            if ($number > $first) {
                fwrite($this->stream, str_repeat($frame, $number - $first));
            }
        }

        return $times;
    }

    private function read(): string
    {
        $data = (string) fread($this->stream, self::PIECE);

        return $data !== '' ? $data : throw new RuntimeException('the echo closed the connection');
    }

    /** As long as GoTask's frame for the same payload and a method of four bytes. */
    private static function frame(string $payload): string
    {
        return str_repeat("\0", 33) . $payload;
    }
}
