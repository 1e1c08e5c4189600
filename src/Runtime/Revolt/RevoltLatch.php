<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Revolt;

use Reasno\GoTask\Runtime\Latch;
use Revolt\EventLoop\Driver;
use Revolt\EventLoop\Suspension;

/**
 * @internal
 */
final class RevoltLatch implements Latch
{
    private bool $open = false;

    /** @var array<int, Suspension<null>> */
    private array $waiting = [];

    private int $last = 0;

    public function __construct(private readonly Driver $driver)
    {
    }

    public function wait(float $seconds): void
    {
        if ($this->open) {
            return;
        }
        /** @var Suspension<null> $suspension */
        $suspension = $this->driver->getSuspension();
        $key = ++$this->last;
        $this->waiting[$key] = $suspension;
        $timer = $this->driver->delay($seconds, function () use ($key): void {
            if (isset($this->waiting[$key])) {
                $suspension = $this->waiting[$key];
                unset($this->waiting[$key]);
                $suspension->resume();
            }
        });

        try {
            $suspension->suspend();
        } finally {
            $this->driver->cancel($timer);
            unset($this->waiting[$key]);
        }
    }

    public function open(): void
    {
        $this->open = true;
        $waiting = $this->waiting;
        $this->waiting = [];
        foreach ($waiting as $suspension) {
            $suspension->resume();
        }
    }
}
