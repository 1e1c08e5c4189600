<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Status;

/**
 * Which generation of a broker's Python processes runs the calls, and what has become of the last reload. They are numbered from 1;
 * one that can't be started has a number all the same.
 *
 * @internal
 */
final class Generation
{
    /**
     * @param int $serving the number of the one that runs the calls; 0: none yet
     * @param int $newest the number of the one that was started last
     * @param string $failure why the newest does not serve, in Python's words; '': it does, or is being started
     */
    public function __construct(
        public readonly int $serving = 0,
        public readonly int $newest = 0,
        public readonly string $failure = '',
    ) {
    }

    /** Whether the newest is being started. */
    public function isReloading(): bool
    {
        return $this->newest > $this->serving && $this->failure === '';
    }

    /** The next one is being started. */
    public function reloading(int $number): self
    {
        return new self($this->serving, $number);
    }

    public function reloaded(int $number): self
    {
        return new self($number, $number);
    }

    public function failed(int $number, string $why): self
    {
        return new self($this->serving, $number, $why);
    }
}
