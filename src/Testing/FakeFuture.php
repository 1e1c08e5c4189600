<?php

declare(strict_types=1);

namespace Reasno\GoTask\Testing;

use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Future;
use Reasno\GoTask\Progress;

/**
 * A call to a FakeGoTask: it has run, and its outcome comes when it is awaited, as without a coroutine that reads.
 *
 * @internal
 */
final class FakeFuture implements Future
{
    private bool $complete = false;

    public function __construct(
        private readonly string $method,
        private readonly mixed $result,
        private ?GoTaskException $failure,
        private readonly ?Progress $progress = null,
    ) {
    }

    public function await(): mixed
    {
        $this->complete = true;

        return $this->failure === null ? $this->result : throw $this->failure;
    }

    public function cancel(): void
    {
        if (! $this->complete) {
            $this->complete = true;
            $this->failure = new Cancelled("{$this->method} was cancelled.", $this->method);
        }
    }

    public function progress(): ?Progress
    {
        return $this->progress;
    }

    public function isComplete(): bool
    {
        return $this->complete;
    }
}
