<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use LogicException;
use Psr\Log\LoggerInterface;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Future;
use Reasno\GoTask\Progress;
use Reasno\GoTask\Protocol\Call;

/**
 * @internal
 */
final class PendingFuture implements Future
{
    /** No log record of its failure: the caller has asked for the outcome, or cancelled the call. */
    private bool $silent = false;

    private mixed $result = null;

    private ?GoTaskException $failure = null;

    private bool $known = false;

    private bool $awaited = false;

    public function __construct(
        private readonly Sender $sender,
        private readonly Call $call,
        private readonly LoggerInterface $logger,
    ) {
    }

    public function __destruct()
    {
        if ($this->silent || $this->isForked()) {
            return;
        }
        if ($this->isWaiting()) {
            $this->call->connection?->receiveNow();
        }
        // A result that nobody wants is not decoded.
        if ($this->isWaiting()) {
            $this->sender->messenger->drop($this->call);

            return;
        }
        if ($this->call->hasResult()) {
            return;
        }

        try {
            $this->sender->result->of($this->call);
        } catch (GoTaskException $failure) {
            $this->logger->error(
                'A call failed that nobody waited for: {message}',
                ['message' => $failure->getMessage(), 'method' => $this->call->method, 'exception' => $failure],
            );
        }
    }

    private function __clone()
    {
    }

    public function await(): mixed
    {
        $this->silent = true;
        if (! $this->known) {
            $this->finish();
        }

        return $this->failure === null ? $this->result : throw $this->failure;
    }

    public function cancel(): void
    {
        $this->silent = true;
        $this->sender->cancel($this->call);
    }

    public function isComplete(): bool
    {
        return ! $this->isWaiting();
    }

    public function progress(): ?Progress
    {
        if ($this->isWaiting() && ! $this->awaited && ! $this->isForked()) {
            $this->call->connection?->receiveNow();
        }

        return $this->sender->messenger->progress($this->call);
    }

    private function isWaiting(): bool
    {
        return $this->call->isUnderWay();
    }

    /**
     * Whether the call belongs to the process that this one was forked from.
     */
    private function isForked(): bool
    {
        return $this->call->connection !== null && $this->call->connection->pid !== getmypid();
    }

    private function finish(): void
    {
        if ($this->awaited) {
            throw new LogicException("The answer to {$this->call->method} is already being waited for: one coroutine or fiber can do that at a time.");
        }
        $this->awaited = true;

        if ($this->isWaiting() && $this->isForked()) {
            $this->call->connection?->abandon();
        }

        try {
            $this->result = $this->sender->finish($this->call);
            $this->known = true;
        } catch (GoTaskException $failure) {
            $this->failure = $failure;
            $this->known = true;
        } finally {
            $this->awaited = false;
        }
    }
}
