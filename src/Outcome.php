<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use LogicException;
use Reasno\GoTask\Exception\GoTaskException;

/**
 * What has become of a durable call, at the moment when it was asked: `$task->outcome($id)`.
 */
final class Outcome
{
    /**
     * @param string $id as notify() gave it
     * @param string $state `waiting`; `running`: it has begun, and if its machine died, it waits to begin again; `done`; `failed`;
     *                      `unknown`: nobody gave that id, or its outcome is no longer kept
     * @param null|Progress $progress how far it said last that it is, while it is running
     * @param mixed $value what it returned
     * @param null|GoTaskException $failure what it failed with
     */
    public function __construct(
        public readonly string $id,
        public readonly string $state,
        public readonly ?Progress $progress = null,
        private readonly mixed $value = null,
        private readonly ?GoTaskException $failure = null,
    ) {
    }

    /**
     * @return mixed what call() would have returned
     * @throws GoTaskException what call() would have thrown: a RemoteError where the method raised
     * @throws LogicException when it is neither done nor failed
     */
    public function result(): mixed
    {
        return match ($this->state) {
            'done' => $this->value,
            'failed' => throw $this->failure ?? new LogicException("{$this->id} has failed, and nothing is known of why."),
            'unknown' => throw new LogicException("There is no result of {$this->id}: nobody gave that id, or its outcome is no longer kept (Celery's result_expires)."),
            default => throw new LogicException("There is no result of {$this->id} yet, it is {$this->state}: ask for its outcome() again later."),
        };
    }
}
