<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Blocking;

use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Outcome;
use Reasno\GoTask\Protocol\Session;
use Reasno\GoTask\Runtime\Connection;
use Reasno\GoTask\Runtime\Stream\Select;
use Reasno\GoTask\Runtime\Stream\Transport;
use Throwable;

use function array_values;
use function hrtime;
use function intdiv;
use function max;
use function min;
use function spl_object_id;
use function strlen;
use function usleep;

use const PHP_INT_MAX;

/**
 * The process waits, and reads for all its calls while it does.
 *
 * It writes without waiting, and reads when the peer takes no more: two large payloads that cross each other would block both ends
 * for ever otherwise.
 *
 * @internal
 */
final class BlockingConnection extends Connection
{
    private bool $broken = false;

    public function __construct(Session $session, Address $address, private readonly Transport $transport)
    {
        parent::__construct($session, $address);
    }

    protected function send(Call $call, string $frame, int $now): void
    {
        $buffer = $this->session->sendBuffer;
        $written = $buffer->length === 0 ? $this->transport->write($frame) : 0;
        if ($written === strlen($frame)) {
            return;
        }
        $buffer->append($frame);
        if ($written < 0) {
            $this->broken();

            return;
        }
        $buffer->advance($written);
        $this->write();
    }

    protected function written(Call $call): void
    {
        while ($this->session->sendBuffer->length > 0 && $call->outcome === Outcome::Waiting) {
            $this->step();
        }
    }

    public function flush(): void
    {
        $this->change($this->write(...));
    }

    public function await(Call $call): void
    {
        if ($this->entered && $call->outcome === Outcome::Waiting) {
            throw self::nested($call);
        }

        try {
            while ($call->outcome === Outcome::Waiting) {
                $this->step();
            }
        } catch (Throwable $thrown) {
            // Nobody waits for it any more.
            $this->cancel($call);

            throw $thrown;
        }
    }

    public function awaitAny(array $calls): void
    {
        $connections = [];
        foreach ($calls as $call) {
            $connection = $call->connection;
            if ($connection?->entered === true) {
                throw self::nested($call);
            }
            if ($connection instanceof self && $connection !== $this) {
                $connections[spl_object_id($connection)] = $connection;
            }
        }
        $connections = $connections === [] ? [] : [$this, ...array_values($connections)];
        while (true) {
            foreach ($calls as $call) {
                if ($call->outcome !== Outcome::Waiting) {
                    return;
                }
            }
            $connections === [] ? $this->step() : self::stepTogether($connections);
        }
    }

    public function canJoin(Connection $other): bool
    {
        return $other instanceof self;
    }

    public function probe(): bool
    {
        if ($this->open) {
            $this->change(fn () => $this->receive(0));
        }

        return $this->isUsable();
    }

    protected function disconnect(): void
    {
        $this->session->woken = [];
        $this->transport->close();
    }

    protected function forget(): void
    {
        $this->transport->close();
    }

    protected function drain(): void
    {
        $this->change($this->receiveWhatIsThere(...));
    }

    /**
     * Waits for the next thing that happens: bytes to read, room to write, a deadline.
     */
    private function step(): void
    {
        $this->entered = true;

        try {
            $session = $this->session;
            $now = hrtime(true);
            $wait = $session->earliest - $now;
            if ($wait <= 0) {
                $this->receiveWhatIsThere();
                $session->expire($now);
                $this->write();
            } elseif ($session->sendBuffer->length === 0) {
                $this->receive($wait);
            } else {
                if ($this->transport->poll($wait)) {
                    $this->receive(0);
                }
                $this->write();
            }
        } catch (Throwable $thrown) {
            throw $this->interrupted($thrown);
        }
        $this->entered = false;
        if ($this->postponed !== []) {
            $this->leave();
        }
    }

    /**
     * The same for the next thing that happens on any of these.
     *
     * @param non-empty-list<self> $connections
     */
    private static function stepTogether(array $connections): void
    {
        foreach ($connections as $connection) {
            $connection->entered = true;
        }

        try {
            self::waitTogether($connections);
        } catch (Throwable $thrown) {
            foreach ($connections as $connection) {
                $connection->interrupted($thrown);
            }

            throw $thrown;
        }
        foreach ($connections as $connection) {
            $connection->entered = false;
            $connection->leave();
        }
    }

    /**
     * @param non-empty-list<self> $connections
     */
    private static function waitTogether(array $connections): void
    {
        $now = hrtime(true);
        $earliest = PHP_INT_MAX;
        $reads = $writes = [];
        foreach ($connections as $key => $connection) {
            if (! $connection->open) {
                continue;
            }
            if ($connection->session->earliest <= $now) {
                $connection->receiveWhatIsThere();
                $connection->session->expire($now);
                $connection->write();

                return;
            }
            $earliest = min($earliest, $connection->session->earliest);
            $reads[$key] = $connection->transport->stream();
            if ($connection->session->sendBuffer->length > 0) {
                $writes[$key] = $reads[$key];
            }
        }
        if ($reads === []) {
            return;
        }
        [$read, $written] = [$reads, $writes];
        if (Select::streams($reads, $writes, $earliest - $now) === null) {
            [$reads, $writes] = [$read, $written];
            usleep(intdiv(Select::PAUSE, 1000));
        }
        foreach ($connections as $key => $connection) {
            if (isset($reads[$key])) {
                $connection->receive(0);
            }
            if (isset($writes[$key])) {
                $connection->write();
            }
        }
    }

    private function write(): void
    {
        $buffer = $this->session->sendBuffer;
        while ($this->open && ! $this->broken && $buffer->length > 0) {
            $bytes = $buffer->next();
            $written = $this->transport->write($bytes);
            if ($written < 0) {
                $this->broken();

                return;
            }
            $buffer->advance($written);
            if ($written < strlen($bytes)) {
                return;
            }
        }
    }

    private function receiveWhatIsThere(): void
    {
        for ($reads = 0; $reads < self::READS && $this->open; $reads++) {
            if (! $this->receive(0)) {
                return;
            }
        }
    }

    /**
     * The peer takes no more. What it had written before that still counts.
     */
    private function broken(): void
    {
        $this->broken = true;
        $why = $this->transport->error();
        do {
            $before = $this->session->count();
            $this->receive(0);
        } while ($this->open && $this->session->count() < $before);
        $this->end($why);
    }

    /**
     * @return bool whether anything came
     */
    private function receive(int $wait): bool
    {
        // With time to wait, a large frame is best read to its end, and what it carries into one piece.
        $length = $wait > 0
            ? ($this->session->bytesBeforeBody() ?: max($this->readSize(), $this->session->wanted))
            : $this->readSize();
        $bytes = $this->transport->read($length, max(0, $wait));
        if ($bytes === null) {
            $this->end($this->transport->error());

            return false;
        }
        if ($bytes === '') {
            return false;
        }

        try {
            $this->session->receive($bytes);
        } catch (ProtocolError $error) {
            $this->end($error->getMessage());

            return false;
        }
        if ($this->session->sendBuffer->length > 0) {
            $this->write();
        }

        return true;
    }
}
