<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process;

use InvalidArgumentException;
use LogicException;
use Psr\Log\LoggerInterface;
use Psr\Log\NullLogger;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Child\BrokerCommand;
use Reasno\GoTask\Process\Child\BrokerProcess;
use Reasno\GoTask\Process\Child\ChildProcess;
use Reasno\GoTask\Process\Child\ExitStatus;
use Reasno\GoTask\Process\Child\InterpreterFinder;
use Reasno\GoTask\Process\Child\UnusableInterpreter;
use Reasno\GoTask\Process\Child\WorkerState;
use Reasno\GoTask\Process\Status\Generation;
use Reasno\GoTask\Process\Status\UnixSocket;
use Reasno\GoTask\Process\Supervision\Supervised;
use ValueError;

/**
 * A Python worker (its broker and the processes below it) that belongs to this PHP process and ends with it.
 *
 *     $worker = new WorkerProcess('app.py');
 *     $worker->start();
 *     $task = new Client($worker->address());
 *     …
 *     $worker->stop();          // or let go of $worker
 *
 * It ends when this process ends, however that happens. After a fork only the parent can stop it; the child can call it.
 * Its log records reach `$logger` whenever this object is used: call isRunning() or poll() now and then where they must
 * not wait. In Swoole use it inside coroutines from beginning to end.
 */
final class WorkerProcess implements Supervised
{
    /** How long one wait for news takes at most, in seconds: an exit alone does not end it. */
    private const LOOK = 0.1;

    /** @var list<string> */
    private array $addresses;

    private readonly bool $private;

    private readonly InterpreterFinder $finder;

    private readonly LoggerInterface $logger;

    private readonly int $owner;

    private ?BrokerProcess $broker = null;

    /** @var list<string> interpreters that are still to be tried in this launch */
    private array $candidates = [];

    /** @var list<UnusableInterpreter> */
    private array $unusable = [];

    private ?WorkerStartFailed $failure = null;

    /** How it "ended" where no interpreter could run it. */
    private ?ExitStatus $unusableExit = null;

    /**
     * @param string $app a Python file or module that registers services
     * @param null|list<string>|string $address unix:///path/to.sock or tcp://host:port, or several of them; null: a private
     *                                          Unix socket, another one at every start
     * @param null|int $workers Python processes that run sync methods, from 1; null: the variable GOTASK_WORKERS, else as many
     *                          as processors
     * @param null|string $python the interpreter; null: the variable GOTASK_PYTHON, else the first one found that has what
     *                            is needed: .venv, venv, runtime/gotask/venv, `python3` on PATH, /usr/bin, /usr/local/bin
     * @param float $startTimeout seconds until the broker must run, and again until the app must be ready
     * @param float $shutdownTimeout seconds that running calls get when it is stopped
     * @param array<string, string> $environment variables in addition to this process's own
     * @param null|string $workingDirectory of the worker, from which relative paths count; null: this process's
     * @param null|LoggerInterface $logger receives the worker's log records at their own level, and what it prints
     * @param null|int $asyncWorkers Python processes that run async methods, from 1, where the app has such; null: the variable
     *                               GOTASK_ASYNC_WORKERS, else 1
     * @throws InvalidArgumentException|ValueError when a setting makes no sense
     */
    public function __construct(
        private readonly string $app,
        null|array|string $address = null,
        private readonly ?int $workers = null,
        ?string $python = null,
        private readonly float $startTimeout = 60.0,
        private readonly float $shutdownTimeout = 30.0,
        private readonly array $environment = [],
        private readonly ?string $workingDirectory = null,
        ?LoggerInterface $logger = null,
        private readonly ?int $asyncWorkers = null,
    ) {
        foreach (['start timeout' => $startTimeout, 'shutdown timeout' => $shutdownTimeout] as $name => $seconds) {
            if (! ($seconds > 0.0 && $seconds <= 86_400.0)) {
                throw new InvalidArgumentException("the {$name} must be above 0 and at most 86400 seconds, not {$seconds}");
            }
        }
        $this->private = $address === null || $address === [];
        $this->addresses = array_map(
            static fn (string $address): string => UnixSocket::absolute($address, $workingDirectory),
            $this->private ? [UnixSocket::fresh()] : (array) $address,
        );
        $this->finder = new InterpreterFinder($python, $workingDirectory);
        $this->logger = $logger ?? new NullLogger();
        $this->owner = (int) getmypid();
        $this->command();
    }

    public function __destruct()
    {
        $this->stop();
    }

    private function __clone()
    {
    }

    public function __serialize(): array
    {
        throw new LogicException('A running process cannot be serialized');
    }

    /**
     * Starts the worker and waits until it takes calls. Running already, it is left as it is.
     *
     * @throws WorkerStartFailed when it is not ready within the start timeout or ends before; it carries what the worker
     *                           wrote on its standard error, and no process is left
     */
    public function start(): void
    {
        $this->launch();
        do {
            $state = $this->poll(self::LOOK);
        } while ($state !== WorkerState::Ready && $state !== WorkerState::Ended);
        if ($this->failure !== null) {
            throw $this->failure;
        }
    }

    /**
     * Has the app loaded again, as it is now, and waits for that: no call is lost, and none waits longer for it. It takes twice
     * the start timeout at most: a reload that is under way already is finished first.
     *
     * @return int the number of the generation of Python processes that runs the calls from now on
     * @throws WorkerStartFailed when the new code can't be started, with Python's traceback: the old code goes on; or when the
     *                           worker does not run at all
     * @throws DeadlineExceeded when the worker did not answer the request in time; the old code goes on, and the new may still come
     */
    public function reload(): int
    {
        $this->mustBeOwner();
        while ($this->poll(self::LOOK) === WorkerState::Starting) {
            // A request to one that is not ready would be lost. The start has a timeout of its own.
        }
        $limit = 2 * $this->startTimeout;
        $until = hrtime(true) / 1e9 + $limit;
        $newest = $this->generation()->newest;
        $this->requestReload();
        while ($this->poll(self::LOOK) === WorkerState::Ready) {
            $generation = $this->generation();
            if ($generation->newest > $newest && ! $generation->isReloading()) {
                return $generation->failure === '' ? $generation->serving : throw new WorkerStartFailed($generation->failure);
            }
            if (hrtime(true) / 1e9 >= $until) {
                throw new DeadlineExceeded("the app was not loaded again within {$limit} s, twice the start timeout; that may still come");
            }
        }

        throw $this->failure ?? new WorkerStartFailed('the Python worker does not run, so there is nothing to load again', $this->stderr());
    }

    /**
     * Lets the running calls finish, within the shutdown timeout, and ends the worker: by force if need be. Ended already,
     * it does nothing.
     */
    public function stop(): void
    {
        $this->terminate();
        if ($this->isOwner()) {
            while ($this->poll(self::LOOK) !== WorkerState::Ended) {
                // poll() does what is due
            }
        }
    }

    /** Where it listens, as Client takes it; the first one of several. */
    public function address(): string
    {
        return $this->addresses[0];
    }

    /**
     * @return list<string>
     */
    public function addresses(): array
    {
        return $this->addresses;
    }

    /** The broker's process id; null where it does not run. */
    public function pid(): ?int
    {
        return $this->isRunning() ? $this->broker?->pid() : null;
    }

    /**
     * @internal what was started last, running or not: only this object may wait for its end
     */
    public function childPid(): ?int
    {
        return $this->broker?->pid();
    }

    public function isRunning(): bool
    {
        return $this->poll(0.0) !== WorkerState::Ended;
    }

    /**
     * Waits until the worker has ended.
     *
     * @param null|float $timeout seconds; null: without end
     * @return bool whether it has ended
     */
    public function wait(?float $timeout = null): bool
    {
        $until = $timeout === null ? INF : hrtime(true) / 1e9 + $timeout;
        while ($this->poll(self::LOOK) !== WorkerState::Ended) {
            if (hrtime(true) / 1e9 >= $until) {
                return false;
            }
        }

        return true;
    }

    /** The last 64 KiB that it wrote on its standard error. */
    public function stderr(): string
    {
        return $this->broker?->stderr() ?? '';
    }

    public function launch(): void
    {
        $this->mustBeOwner();
        if ($this->poll(0.0) !== WorkerState::Ended) {
            return;
        }
        if ($this->private && $this->broker !== null) {
            $this->addresses = [UnixSocket::fresh()];
        }
        $this->failure = $this->unusableExit = null;
        $this->unusable = [];
        $this->candidates = $this->finder->candidates();
        $this->launchNext();
    }

    public function poll(float $timeout): WorkerState
    {
        if ($this->broker === null) {
            return WorkerState::Ended;
        }
        if (! $this->isOwner()) {
            // A forked child: these pipes are its parent's to read.
            return $this->failure === null ? WorkerState::Ready : WorkerState::Ended;
        }
        $before = $this->broker->state();
        $state = $this->broker->poll($timeout);
        if ($state !== $before) {
            if ($state === WorkerState::Ready) {
                $this->finder->remember($this->broker->python);
            } elseif ($state === WorkerState::Ended) {
                return $this->ended($this->broker);
            }
        }

        return $state;
    }

    public function requestReload(): void
    {
        $this->isOwner() && $this->broker?->requestReload();
    }

    public function generation(): Generation
    {
        return $this->broker?->generation() ?? new Generation();
    }

    public function terminate(): void
    {
        $this->isOwner() && $this->broker?->terminate();
    }

    public function kill(): void
    {
        $this->isOwner() && $this->broker?->kill();
    }

    public function failure(): ?WorkerStartFailed
    {
        return $this->failure;
    }

    public function exit(): ?ExitStatus
    {
        return $this->unusableExit ?? $this->broker?->exit();
    }

    private function ended(BrokerProcess $broker): WorkerState
    {
        foreach ($this->addresses as $address) {
            UnixSocket::removeStale($address);
        }
        if ($this->private) {
            UnixSocket::removeDirectory($this->addresses[0]);
        }
        $unusable = $broker->unusable();
        if ($unusable !== null) {
            $this->unusable[] = $unusable;
            if (! $broker->wasAskedToEnd()) {
                return $this->launchNext();
            }
        }
        if (! $broker->wasReady()) {
            $this->failure = new WorkerStartFailed("the Python worker for {$this->app} did not start: {$broker->problem()}", $broker->stderr());
        }

        return WorkerState::Ended;
    }

    private function launchNext(): WorkerState
    {
        $python = array_shift($this->candidates);
        if ($python === null) {
            $this->failure = new WorkerStartFailed($this->noneFits(), $this->stderr());
            $this->unusableExit = new ExitStatus(ExitStatus::PYTHON_UNUSABLE);

            return WorkerState::Ended;
        }
        $command = $this->command();
        $directory = BrokerCommand::directory($this->workingDirectory);
        [$arguments, $environment] = [$command->arguments($python), $command->environment($directory)];
        try {
            $this->broker = new BrokerProcess($arguments, $directory, $environment, $this->startTimeout, $this->shutdownTimeout, $this->logger);
        } catch (WorkerStartFailed $failure) {
            // For whoever supervises this is a start that failed, like any other.
            $this->broker = null;
            $this->failure = $failure;
            if (ChildProcess::obstacle() !== null) {
                // No other start mends that.
                $this->unusableExit = new ExitStatus(ExitStatus::PYTHON_UNUSABLE);
            }

            return WorkerState::Ended;
        }

        return WorkerState::Starting;
    }

    private function noneFits(): string
    {
        if ($this->unusable === []) {
            return 'no Python was found: install Python 3.10 or later, or name an interpreter with GOTASK_PYTHON';
        }
        $lines = array_map(static fn (UnusableInterpreter $unusable): string => "\n  " . $unusable->describe(), $this->unusable);

        return 'no Python that was found has what the worker needs:' . implode('', $lines);
    }

    private function command(): BrokerCommand
    {
        // The broker's own time must be up first, since only the broker can say what was slow.
        $margin = min(0.5, $this->startTimeout / 10);

        return new BrokerCommand(
            $this->app,
            $this->addresses,
            $this->workers,
            $this->startTimeout - $margin,
            $this->shutdownTimeout,
            $this->environment,
            $this->asyncWorkers,
        );
    }

    private function isOwner(): bool
    {
        return getmypid() === $this->owner;
    }

    private function mustBeOwner(): void
    {
        $this->isOwner() || throw new LogicException('this worker process belongs to the process that this one was forked from');
    }
}
