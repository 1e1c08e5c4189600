<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Revolt;

use Reasno\GoTask\Address;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\CallState;
use Reasno\GoTask\Protocol\FastSocket;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Stream\FastStream;
use Reasno\GoTask\Runtime\Stream\StreamTransport;
use Reasno\GoTask\Runtime\Stream\TransportConnection;
use Revolt\EventLoop\Driver;
use Revolt\EventLoop\Suspension;
use Throwable;
use WeakReference;

use function hrtime;
use function max;
use function spl_object_id;

use const PHP_INT_MAX;

/**
 * The event loop reads for all its calls; each that waits is a suspended fiber.
 *
 * What it has in the loop keeps the loop running only while somebody waits, and holds no reference to the connection.
 *
 * @internal
 */
final class RevoltConnection extends TransportConnection
{
    private readonly string $readable;

    private readonly string $writable;

    private ?string $timer = null;

    /** When the timer fires, hrtime() in ns. */
    private int $timerAt = PHP_INT_MAX;

    private int $waiters = 0;

    /** Those of the fast path, while something is outstanding there: what watches its socket, and the timer that looks for what is overdue. */
    private ?string $fastReadable = null;

    private ?string $fastTimer = null;

    /** The callback that sends what is held. */
    private ?string $sending = null;

    /**
     * Those whose resumption is queued in the loop: they must not be resumed twice.
     *
     * @var array<int, true>
     */
    private array $resumed = [];

    public function __construct(
        Session $session,
        Address $address,
        StreamTransport $transport,
        private readonly Driver $driver,
    ) {
        parent::__construct($session, $address, $transport);
        $weak = WeakReference::create($this);
        $this->readable = $driver->onReadable($transport->stream, static function () use ($weak): void {
            $weak->get()?->receiveOnce();
        });
        $this->writable = $driver->onWritable($transport->stream, static function () use ($weak): void {
            $weak->get()?->flush();
        });
        $driver->unreference($this->readable);
        $driver->unreference($driver->disable($this->writable));
    }

    public function __destruct()
    {
        $this->forget();
    }

    public function await(Call $call): void
    {
        if ($call->state === CallState::Waiting) {
            $this->suspend([$call]);
        }
    }

    public function awaitAny(array $calls): void
    {
        foreach ($calls as $call) {
            if ($call->state !== CallState::Waiting) {
                return;
            }
        }
        $this->suspend($calls);
    }

    protected function awaitRoom(bool $isNeeded): void
    {
        $isNeeded ? $this->driver->enable($this->writable) : $this->driver->disable($this->writable);
    }

    protected function connectFast(): ?FastSocket
    {
        return FastStream::open($this->address);
    }

    protected function watchFast(): void
    {
        if ($this->fastReadable !== null || ! $this->fast instanceof FastStream) {
            return;
        }
        $weak = WeakReference::create($this);
        $this->fastReadable = $this->driver->onReadable($this->fast->stream, static function () use ($weak): void {
            $weak->get()?->receiveFastNow();
        });
        $this->fastTimer = $this->driver->repeat(self::OVERDUE / 1e9, static function () use ($weak): void {
            $weak->get()?->tick();
        });
        $this->driver->unreference($this->fastTimer);
        if ($this->waiters === 0) {
            $this->driver->unreference($this->fastReadable);
        }
    }

    protected function unwatchFast(): void
    {
        $this->driver->cancel($this->fastReadable ?? '');
        $this->driver->cancel($this->fastTimer ?? '');
        $this->fastReadable = $this->fastTimer = null;
    }

    protected function sendHeldSoon(): void
    {
        if ($this->sending === null) {
            $weak = WeakReference::create($this);
            $this->sending = $this->driver->defer(static function () use ($weak): void {
                $weak->get()?->sendHeldNow();
            });
        }
    }

    private function sendHeldNow(): void
    {
        $this->sending = null;
        if ($this->session->held !== []) {
            $this->flush();
        }
    }

    private function receiveFastNow(): void
    {
        $this->change(function (): void {
            $this->receiveFast();
            $this->write();
            $this->wake();
        });
    }

    private function tick(): void
    {
        if ($this->session->fast === 0) {
            $this->unwatchFast();

            return;
        }
        $this->change(function (): void {
            $this->lookAfterFast();
            $this->write();
            $this->wake();
        });
    }

    protected function disconnect(): void
    {
        $this->forget();
        $this->wake();
    }

    protected function forget(): void
    {
        $this->driver->cancel($this->readable);
        $this->driver->cancel($this->writable);
        if ($this->timer !== null) {
            $this->driver->cancel($this->timer);
            $this->timer = null;
        }
        $this->closeFast();
        $this->transport->close();
    }

    /**
     * @param non-empty-array<Call> $calls
     */
    private function suspend(array $calls): void
    {
        /** @var Suspension<null> $suspension */
        $suspension = $this->driver->getSuspension();
        foreach ($calls as $call) {
            $call->suspension = $suspension;
        }
        $this->setTimer();
        if ($this->waiters++ === 0) {
            $this->driver->reference($this->readable);
            $this->driver->reference($this->writable);
            if ($this->fastReadable !== null) {
                $this->driver->reference($this->fastReadable);
            }
        }

        try {
            $suspension->suspend();
        } catch (Throwable $thrown) {
            // Thrown into the fiber: nobody waits for these any more.
            foreach ($calls as $call) {
                $call->suspension = null;
            }
            foreach ($calls as $call) {
                $this->cancel($call);
            }

            throw $thrown;
        } finally {
            foreach ($calls as $call) {
                $call->suspension = null;
            }
            unset($this->resumed[spl_object_id($suspension)]);
            if (--$this->waiters === 0 && $this->open) {
                $this->driver->unreference($this->readable);
                $this->driver->unreference($this->writable);
                if ($this->fastReadable !== null) {
                    $this->driver->unreference($this->fastReadable);
                }
            }
        }
    }

    protected function wakeCancelled(): void
    {
        $this->wake();
    }

    protected function wake(): void
    {
        $woken = $this->session->woken;
        $this->session->woken = [];
        foreach ($woken as $call) {
            $suspension = $call->suspension;
            $call->suspension = null;
            if ($suspension !== null && ! isset($this->resumed[spl_object_id($suspension)])) {
                $this->resumed[spl_object_id($suspension)] = true;
                $suspension->resume();
            }
        }
    }

    /**
     * One timer does for all calls: it is set for the earliest deadline, and moved only when a call has an earlier one.
     */
    private function setTimer(): void
    {
        $at = $this->session->earliest;
        if ($this->timer !== null && $this->timerAt <= $at || $at === PHP_INT_MAX) {
            return;
        }
        if ($this->timer !== null) {
            $this->driver->cancel($this->timer);
        }
        $weak = WeakReference::create($this);
        $this->timerAt = $at;
        $this->timer = $this->driver->delay(max(0, $at - hrtime(true)) / 1e9, static function () use ($weak): void {
            $weak->get()?->expireNow();
        });
        $this->driver->unreference($this->timer);
    }

    private function expireNow(): void
    {
        $this->timer = null;
        $this->drain();
        $this->change(fn () => $this->expire(hrtime(true)));
        if ($this->session->sendBuffer->length > 0) {
            $this->flush();
        }
        $this->wake();
        if ($this->open && $this->session->calls !== []) {
            $this->setTimer();
        }
    }
}
