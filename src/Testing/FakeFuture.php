<?php

declare(strict_types=1);

namespace Reasno\GoTask\Testing;

use Closure;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Future;

/**
 * A call to a FakeGoTask that is answered when it is awaited.
 *
 * @internal
 */
final class FakeFuture implements Future
{
    private mixed $result = null;

    private ?GoTaskException $failure = null;

    /**
     * @param null|Closure(): mixed $answer
     */
    public function __construct(private readonly string $method, private ?Closure $answer)
    {
    }

    public function await(): mixed
    {
        if ($this->answer !== null) {
            $answer = $this->answer;
            $this->answer = null;

            try {
                $this->result = $answer();
            } catch (GoTaskException $failure) {
                $this->failure = $failure;
            }
        }

        return $this->failure === null ? $this->result : throw $this->failure;
    }

    public function cancel(): void
    {
        if ($this->answer !== null) {
            $this->answer = null;
            $this->failure = new Cancelled("{$this->method} was cancelled.", $this->method);
        }
    }

    public function isComplete(): bool
    {
        return $this->answer === null;
    }
}
