<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use Closure;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Child\WorkerState;
use Reasno\GoTask\Process\Status\Generation;
use Reasno\GoTask\Process\Supervision\Supervised;

use function count;

/**
 * A process whose runs are written down: each a list of what poll() says, each answer 0.1 seconds after the one before.
 */
final class ScriptedProcess implements Supervised
{
    public float $now = 0.0;

    /** @var list<string> */
    public array $asked = [];

    /** @var list<float> when it was launched */
    public array $launches = [];

    /** @var list<list<WorkerState>> */
    private array $runs;

    /** @var list<WorkerState> */
    private array $run = [];

    private bool $wasReady = false;

    private Generation $generation;

    /**
     * @param Closure(self): void $onPoll called before each answer
     * @param list<WorkerState> ...$runs without the Ended at their end; the last one repeats
     */
    public function __construct(private readonly ExitStatus $exit, private readonly Closure $onPoll, array ...$runs)
    {
        $this->runs = array_values($runs);
        $this->generation = new Generation();
    }

    public function launch(): void
    {
        $this->launches[] = $this->now;
        $this->wasReady = false;
        $this->generation = new Generation();
        $this->run = count($this->runs) > 1 ? array_shift($this->runs) : $this->runs[0];
    }

    public function poll(float $timeout): WorkerState
    {
        $this->now += $timeout;
        ($this->onPoll)($this);
        $state = array_shift($this->run) ?? WorkerState::Ended;
        if ($state === WorkerState::Ready && ! $this->wasReady) {
            $this->generation = new Generation(1, 1);
        }
        $this->wasReady = $this->wasReady || $state === WorkerState::Ready;

        return $state;
    }

    public function requestReload(): void
    {
        $this->asked[] = 'reload';
    }

    public function generation(): Generation
    {
        return $this->generation;
    }

    /** From the next poll() on. */
    public function become(Generation $generation): void
    {
        $this->generation = $generation;
    }

    public function terminate(): void
    {
        $this->asked[] = 'terminate';
        $this->run = [WorkerState::Stopping, WorkerState::Stopping];
    }

    public function kill(): void
    {
        $this->asked[] = 'kill';
        $this->run = [];
    }

    public function failure(): ?WorkerStartFailed
    {
        return $this->wasReady ? null : new WorkerStartFailed('it did not start');
    }

    public function exit(): ExitStatus
    {
        return $this->exit;
    }
}
