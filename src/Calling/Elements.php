<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Generator;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Goridge\MessageKind;
use Reasno\GoTask\Protocol\Call;
use Reasno\GoTask\Protocol\Exchange;

use function getmypid;
use function hrtime;
use function is_array;
use function min;
use function strlen;

use const PHP_INT_MAX;

/**
 * A stream from Python: a call whose result comes element by element. Only the generator of read() refers to it, so whoever lets go of
 * that generator, begun or not, cancels the call.
 *
 * @internal
 */
final class Elements
{
    /** Bytes of elements that have been consumed when credit is given: not for each message. */
    private const CREDIT_STEP = Exchange::WINDOW / 4;

    /** Seconds; more would not fit the clock. */
    private const MAX_PATIENCE = 1e9;

    /** ns to wait for the next element. */
    private readonly int $patience;

    public function __construct(private readonly Sender $sender, private readonly MessagePackCodec $codec, private readonly Call $call)
    {
        $this->patience = (int) (min($call->timeout, self::MAX_PATIENCE) * 1e9);
        $this->sender->submit($this->call);
        $this->call->deadline = PHP_INT_MAX;
    }

    public function __destruct()
    {
        if ($this->call->isUnderWay() && $this->call->connection?->pid === getmypid()) {
            $this->sender->cancel($this->call);
        }
    }

    private function __clone()
    {
    }

    /**
     * @return Generator<int, mixed, mixed, mixed> returns what the method returned
     * @throws GoTaskException
     */
    public function read(): Generator
    {
        $call = $this->call;
        $consumed = 0;
        while (true) {
            while (($items = $this->sender->messenger->next($call)) !== null) {
                $elements = $this->codec->decode($items->payload);
                foreach (is_array($elements) ? $elements : throw new DecodeFailed("Elements of {$call->method} are no array.") as $element) {
                    yield $element;
                }
                $consumed += strlen($items->payload);
                if ($consumed >= self::CREDIT_STEP) {
                    $call->connection?->tell($call, MessageKind::CREDIT, $consumed);
                    $consumed = 0;
                }
            }
            if ($call->isUnderWay()) {
                $this->wait();
            } elseif (! $this->isResent()) {
                return $this->sender->outcome($call);
            }
        }
    }

    /**
     * Waits for the next message or the outcome. The time of a stream runs only while somebody waits.
     */
    private function wait(): void
    {
        $connection = $this->call->connection;
        if ($connection?->pid !== getmypid()) {
            $connection?->abandon();
        } else {
            $connection->session->expect($this->call, hrtime(true) + $this->patience);
            $connection->await($this->call);
            $this->call->deadline = PHP_INT_MAX;
        }
    }

    private function isResent(): bool
    {
        if ($this->call->hasResult()) {
            return false;
        }
        $this->call->deadline = hrtime(true) + $this->patience;
        $isResent = $this->sender->resend($this->call);
        $this->call->deadline = PHP_INT_MAX;

        return $isResent;
    }
}
