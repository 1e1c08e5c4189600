<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Swoole;

use Reasno\GoTask\Address;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Stream\Inherited;
use Swoole\Coroutine;
use Swoole\Coroutine\CanceledException;
use Swoole\Coroutine\Socket;
use Swoole\Coroutine\TimeoutException;
use Throwable;
use WeakReference;

use function strlen;

use const SOCKET_ETIMEDOUT;

/**
 * How a connection in Swoole writes: the caller itself does, as long as the peer takes what it is given, and a coroutine that ends
 * when that is done as soon as it does not. One at a time; what others send meanwhile is appended to the send buffer.
 *
 * A base class and not an object of its own, which would cost each call another method call.
 *
 * @internal
 */
abstract class SwooleWriting extends Connection
{
    /** Seconds that a write may wait before a coroutine of its own takes it over; the least that Swoole's timers know. */
    protected const PATIENCE = 0.001;

    /** Seconds after which a write that is stuck looks whether there is something to read that nobody reads. */
    private const STUCK = 0.02;

    protected ?Socket $socket;

    /** Whether a coroutine reads for all. */
    protected bool $reading = false;

    protected bool $writing = false;

    public function __construct(Session $session, Address $address, Socket $socket)
    {
        parent::__construct($session, $address);
        $this->socket = $socket;
        if ($address->tls) {
            $weak = WeakReference::create($this);
            Inherited::watch($this, static function () use ($weak): void {
                $weak->get()?->detach();
            });
        }
    }

    /**
     * Lets go of the socket's descriptor, in a child that has inherited it.
     */
    abstract protected function detach(): void;

    public function flush(): void
    {
        if ($this->session->held !== []) {
            $this->change($this->sendHeld(...));
        }
        $buffer = $this->session->sendBuffer;
        while ($this->open && ! $this->writing && $buffer->length > 0) {
            $bytes = $buffer->next();
            $written = $this->write($bytes, self::PATIENCE);
            if (! $this->open) {
                return;
            }
            $buffer->advance($written);
            if ($written !== strlen($bytes)) {
                $this->continueWriting();

                return;
            }
        }
    }

    protected function send(string $frame): void
    {
        // It may wait from here on, while other coroutines go on.
        $this->entered = false;
        $this->session->sendBuffer->append($frame);
        $this->flush();
    }

    /**
     * Waits a moment for something to read, and takes it, for somebody who is not to wait for an answer.
     *
     * @param int $wait ns
     */
    abstract protected function readOnce(int $wait = 1): void;

    /**
     * @param float $patience seconds
     * @return int bytes; 0 when none were taken in that time, or the connection is gone
     * @phpstan-impure
     */
    private function write(string $bytes, float $patience): int
    {
        $this->writing = true;

        try {
            $written = $this->socket?->send($bytes, $patience);
        } catch (Throwable $thrown) {
            $this->stopWriting($thrown);

            throw $thrown;
        }
        $this->writing = false;

        return (int) $written;
    }

    /**
     * The coroutine was told to stop while it waited to write, or something else was thrown and it is not known what has been written.
     */
    private function stopWriting(Throwable $thrown): void
    {
        $this->writing = false;
        if (! self::isCancellation($thrown)) {
            $this->end('it was interrupted by ' . $thrown::class);
        } elseif ($this->session->sendBuffer->length > 0) {
            // What it was to write holds other callers' calls.
            $this->continueWriting();
        }
    }

    final public static function isCancellation(Throwable $thrown): bool
    {
        return $thrown instanceof CanceledException || $thrown instanceof TimeoutException;
    }

    /**
     * A cancellation comes while a call waits to be written: other calls go on.
     */
    protected function interrupted(Throwable $thrown): Throwable
    {
        if (! self::isCancellation($thrown)) {
            return parent::interrupted($thrown);
        }
        $this->entered = false;
        $this->leave();

        return $thrown;
    }

    /**
     * The peer takes no more for now, so that this coroutine can go on to read.
     */
    private function continueWriting(): void
    {
        if ($this->open && ! $this->writing) {
            $this->writing = true;
            Coroutine::create(function (): void {
                try {
                    $this->writeAll();
                } finally {
                    $this->writing = false;
                }
            });
        }
    }

    /**
     * Writes until the send buffer is empty, or nobody waits for an answer.
     */
    private function writeAll(): void
    {
        $buffer = $this->session->sendBuffer;
        while ($this->open && $buffer->length > 0 && $this->session->waiting() > 0) {
            $written = $this->write($buffer->next(), self::STUCK);
            $this->writing = true;
            if (! $this->open) {
                return;
            }
            if ($written > 0) {
                $buffer->advance($written);
            } elseif ($this->socket?->errCode !== SOCKET_ETIMEDOUT) {
                $this->broken((string) $this->socket?->errMsg);
            } elseif (! $this->reading) {
                // The peer may wait until somebody reads what nobody here waits for.
                $this->readOnce();
            }
        }
    }

    /**
     * The peer takes no more. What it wrote before still counts.
     */
    private function broken(string $why): void
    {
        if ($this->reading) {
            // The reader finds it, and the end of the stream behind it.
            Coroutine::sleep(self::STUCK);
        } else {
            do {
                $before = $this->session->count();
                $this->readOnce();
            } while ($this->open && ! $this->reading && $this->session->count() < $before);
        }
        $this->close($why);
    }
}
