<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Blocking;

use ErrorException;
use Reasno\GoTask\Protocol\FastSocket;
use RuntimeException;
use Socket;

use function hrtime;
use function intdiv;
use function is_string;
use function max;
use function min;
use function socket_clear_error;
use function socket_close;
use function socket_export_stream;
use function socket_last_error;
use function socket_recv;
use function socket_send;
use function socket_set_block;
use function socket_set_option;
use function strlen;

use const MSG_DONTWAIT;
use const SO_RCVTIMEO;
use const SOCKET_EAGAIN;
use const SOCKET_EINTR;
use const SOL_SOCKET;

/**
 * The socket of a fast path where the process waits: the kernel itself keeps the time of a wait.
 *
 * @internal
 */
final class BlockingFastSocket implements FastSocket
{
    /** ns for which an answer is looked for, and µs that a method is expected to take at most where it is. */
    private const LOOK = 60_000;
    private const QUICK = 50;

    /** Calls for which none is looked for, at most. */
    private const MAX_VAIN = 1023;

    /** @var null|resource */
    private mixed $stream = null;

    /** Calls for which no answer is looked for: those that are left, and how many there were. */
    private int $skipped = 0;

    private int $vain = 0;

    private bool $closed = false;

    /**
     * @param int $patience ns that await() waits
     */
    public function __construct(private readonly Socket $socket, int $patience)
    {
        socket_set_block($socket);
        socket_set_option($socket, SOL_SOCKET, SO_RCVTIMEO, ['sec' => 0, 'usec' => intdiv($patience, 1_000)]);
    }

    public function send(string $message): bool
    {
        try {
            return @socket_send($this->socket, $message, strlen($message), MSG_DONTWAIT) !== false; // @phpstan-ignore argument.invalidConstant (it is one of Linux's)
        } catch (ErrorException) {
            return false; // see Quietly, which would cost time here
        }
    }

    public function receive(): ?string
    {
        return $this->read(MSG_DONTWAIT);
    }

    /**
     * Waits for a message.
     *
     * @return null|string '' when none came, or a signal did; null when the other end is gone
     */
    public function await(): ?string
    {
        return $this->read(0);
    }

    /**
     * Waits for the answer to a call that has just left. It is looked for as long as a quick one takes without giving the processor
     * away: to be put to sleep and woken again costs as much as such a call. Where that was in vain, as with a single processor, it is
     * not done for the next calls, twice as many each time.
     *
     * @param int $micros µs that the method is expected to take
     * @return null|string as await()
     */
    public function awaitQuick(int $micros): ?string
    {
        if ($this->skipped > 0 || $micros > self::QUICK) {
            $this->skipped = max(0, $this->skipped - 1);

            return $this->read(0);
        }
        $until = hrtime(true) + self::LOOK;
        do {
            $message = $this->read(MSG_DONTWAIT);
        } while ($message === '' && hrtime(true) < $until);
        $this->vain = $message === '' ? min(2 * $this->vain + 1, self::MAX_VAIN) : 0;
        $this->skipped = $this->vain;

        return $message === '' ? $this->read(0) : $message;
    }

    /**
     * @return resource for select()
     */
    public function stream(): mixed
    {
        return $this->stream ??= socket_export_stream($this->socket) ?: throw new RuntimeException('The socket is no stream.');
    }

    public function close(): void
    {
        if (! $this->closed) {
            $this->closed = true;
            socket_close($this->socket);
        }
    }

    private function read(int $flags): ?string
    {
        try {
            $read = @socket_recv($this->socket, $message, self::LARGEST, $flags);
        } catch (ErrorException) {
            $read = false; // a signal's handler is going to run
        }
        if ($read !== false) {
            return $read > 0 && is_string($message) ? $message : null;
        }
        $code = socket_last_error($this->socket);
        socket_clear_error($this->socket);

        return $code === SOCKET_EAGAIN || $code === SOCKET_EINTR || $code === 0 ? '' : null;
    }
}
