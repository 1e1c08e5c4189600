<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Protocol\Connection;
use Reasno\GoTask\Protocol\Session;

use function max;
use function strlen;

/**
 * Reads and writes without waiting, through a transport; its runtime waits.
 *
 * @internal
 */
abstract class TransportConnection extends Connection
{
    /** Whether the peer takes no more. */
    private bool $broken = false;

    public function __construct(Session $session, Address $address, protected readonly Transport $transport)
    {
        parent::__construct($session, $address);
    }

    public function flush(): void
    {
        $this->change(function (): void {
            $this->sendHeld();
            $this->write();
        });
    }

    public function probe(): bool
    {
        $this->receiveOnce();

        return $this->isUsable();
    }

    protected function send(string $frame): void
    {
        $buffer = $this->session->sendBuffer;
        $written = $buffer->length === 0 ? $this->transport->write($frame) : 0;
        if ($written === strlen($frame)) {
            return;
        }
        $buffer->append($frame);
        if ($written < 0) {
            $this->end($this->lastWords());

            return;
        }
        $buffer->advance($written);
        $this->write();
    }

    /**
     * Writes what waits, as much as the peer takes now.
     */
    final protected function write(): void
    {
        $buffer = $this->session->sendBuffer;
        while ($this->open && ! $this->broken && $buffer->length > 0) {
            $bytes = $buffer->next();
            $written = $this->transport->write($bytes);
            if ($written < 0) {
                $this->end($this->lastWords());

                return;
            }
            $buffer->advance($written);
            if ($written < strlen($bytes)) {
                break;
            }
        }
        if ($this->open) {
            $this->awaitRoom($buffer->length > 0);
        }
    }

    /**
     * Where an event loop says when there is room to write: has it do so, or not.
     */
    protected function awaitRoom(bool $isNeeded): void
    {
    }

    /**
     * Wakes those whose calls have an outcome, where callers wait suspended.
     */
    protected function wake(): void
    {
    }

    protected function drain(): void
    {
        $this->change($this->receiveWhatIsThere(...));
    }

    final protected function receiveOnce(): void
    {
        $this->change(fn () => $this->receive(0));
    }

    final protected function receiveWhatIsThere(): void
    {
        $this->drainFast();
        for ($reads = 0; $reads < self::READS && $this->receive(0); $reads++);
    }

    /**
     * @param int $wait ns
     * @return bool whether anything came
     */
    final protected function receive(int $wait): bool
    {
        if (! $this->open) {
            return false;
        }
        $bytes = $this->transport->read($this->readSize(), max(0, $wait));
        if ($bytes === null) {
            $this->end($this->transport->error());

            return false;
        }
        if ($bytes === '') {
            return false;
        }

        if ($this->session->fast > 0) {
            $this->drainFast();
        }

        try {
            $this->session->receive($bytes);
        } catch (ProtocolError $error) {
            $this->end($error->getMessage());

            return false;
        }
        if ($this->session->givenBack !== []) {
            $this->resendGivenBack();
        }
        if ($this->session->sendBuffer->length > 0) {
            $this->write();
        }
        if ($this->session->woken !== []) {
            $this->wake();
        }

        return true;
    }

    /**
     * Takes what a peer that takes no more had written before: those answers still count.
     *
     * @return string why the connection is gone
     */
    private function lastWords(): string
    {
        $this->broken = true;
        $why = $this->transport->error();
        do {
            $before = $this->session->count();
        } while ($this->receive(0) && $this->session->count() < $before);

        return $why;
    }
}
