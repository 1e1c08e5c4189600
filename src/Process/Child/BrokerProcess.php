<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

use Psr\Log\LoggerInterface;
use Reasno\GoTask\Process\Status\Generation;

use function in_array;
use function is_int;
use function is_string;
use function sprintf;

/**
 * One run of the broker, from its start with one interpreter to its end.
 *
 * Whatever has to happen in time (giving a start up, ending by force) is done by poll(), so whoever polls needs no timer.
 *
 * @internal
 */
final class BrokerProcess
{
    /** Seconds until force is used: after kill(), and beyond the shutdown timeout after terminate(). */
    private const GRACE = 1.0;

    /** A process that even SIGKILL does not end is stuck in the kernel. It is given up after so many seconds. */
    private const STUCK = 5.0;
    private const SIGHUP = 1;
    private const SIGQUIT = 3;
    private const SIGTERM = 15;

    /** More output than this at the end is left unread: 64 KiB pieces. */
    private const LAST_READS = 64;

    public readonly string $python;

    private readonly ChildProcess $child;

    private readonly ManagedOutput $output;

    private WorkerState $state = WorkerState::Starting;

    private Generation $generation;

    private bool $wasReady = false;

    private bool $askedToEnd = false;

    /** It has said that it is ending. */
    private bool $isStopping = false;

    private ?string $problem = null;

    /** @var null|array<array-key, mixed> */
    private ?array $unusable = null;

    private float $readyBy;

    private float $quitAt = INF;

    private float $killAt = INF;

    /**
     * @param non-empty-list<string> $command the interpreter first
     * @param null|array<string, string> $environment
     */
    public function __construct(
        array $command,
        ?string $directory,
        ?array $environment,
        private readonly float $startTimeout,
        private readonly float $shutdownTimeout,
        private readonly LoggerInterface $logger,
    ) {
        $this->python = $command[0];
        $this->generation = new Generation();
        $this->output = new ManagedOutput($logger, $this->on(...));
        $this->child = ChildProcess::start($command, $directory, $environment);
        $this->readyBy = self::now() + $startTimeout;
    }

    public function poll(float $timeout): WorkerState
    {
        if ($this->state === WorkerState::Ended) {
            return $this->state;
        }
        $before = $this->state;
        $generation = $this->generation;
        $until = self::now() + $timeout;
        do {
            $now = self::now();
            $due = min($until, $this->state === WorkerState::Starting ? $this->readyBy : INF, $this->quitAt, $this->killAt);
            $this->take($this->child->read(max(0.0, $due - $now)));
            if (! $this->child->isRunning()) {
                $this->ended();
            } else {
                $this->keepTime(self::now());
            }
        } while ($this->state === $before && $this->generation === $generation && self::now() < $until);

        return $this->state;
    }

    public function requestReload(): void
    {
        // Before it is ready it may not handle the signal yet.
        if ($this->state === WorkerState::Ready) {
            $this->child->signal(self::SIGHUP);
        }
    }

    public function generation(): Generation
    {
        return $this->generation;
    }

    public function terminate(): void
    {
        if ($this->state === WorkerState::Ended || $this->state === WorkerState::Stopping) {
            return;
        }
        $this->state = WorkerState::Stopping;
        $this->askedToEnd = true;
        // Ctrl-C reaches every process of a terminal, and a second request would cut its calls off.
        if (! $this->isStopping) {
            $this->child->signal(self::SIGTERM);
        }
        $this->quitAt = self::now() + $this->shutdownTimeout + self::GRACE;
    }

    public function kill(): void
    {
        if ($this->state === WorkerState::Ended || $this->killAt < INF) {
            return;
        }
        $this->state = WorkerState::Stopping;
        $this->askedToEnd = true;
        $this->child->signal(self::SIGQUIT);
        $this->child->release();
        $this->quitAt = INF;
        $this->killAt = self::now() + self::GRACE;
    }

    public function state(): WorkerState
    {
        return $this->state;
    }

    public function wasAskedToEnd(): bool
    {
        return $this->askedToEnd;
    }

    public function pid(): int
    {
        return $this->child->pid;
    }

    public function exit(): ?ExitStatus
    {
        return $this->child->exit();
    }

    public function wasReady(): bool
    {
        return $this->wasReady;
    }

    /** What this interpreter lacks, if that is why it ended. */
    public function unusable(): ?UnusableInterpreter
    {
        return $this->unusable === null ? null : new UnusableInterpreter($this->python, $this->unusable);
    }

    /** What went wrong before it was ready, in a sentence or with Python's own words. */
    public function problem(): string
    {
        if ($this->problem !== null) {
            return $this->problem;
        }
        if ($this->askedToEnd) {
            return 'it was stopped before it was ready';
        }
        $stderr = $this->output->tail();

        return sprintf('it ended with %s', $this->exit()?->describe() ?? 'an unknown exit code')
            . ($stderr === '' ? ' and wrote nothing on its standard error' : ":\n{$stderr}");
    }

    public function stderr(): string
    {
        return $this->output->tail();
    }

    /**
     * @param array{string, string} $read
     */
    private function take(array $read): void
    {
        [$stdout, $stderr] = $read;
        if ($stderr !== '') {
            $this->output->stderr($stderr);
        }
        if ($stdout !== '') {
            $this->output->stdout($stdout);
        }
    }

    /**
     * @param array<array-key, mixed> $event
     */
    private function on(array $event): void
    {
        $message = is_string($event['message'] ?? null) ? $event['message'] : null;
        $generation = is_int($event['generation'] ?? null) ? $event['generation'] : 1;
        switch ($event['event']) {
            case 'starting':
                // The broker's own time runs from here, and ends a little earlier: only the broker can say what was slow.
                $this->readyBy = self::now() + $this->startTimeout;
                $this->logger->debug($message ?? 'starting', ['logger' => 'gotask']);
                break;
            case 'ready':
                if ($this->state === WorkerState::Starting) {
                    $this->state = WorkerState::Ready;
                    $this->wasReady = true;
                    $this->generation = $this->generation->reloaded($generation);
                    $this->output->release();
                }
                $this->logger->info($message ?? 'ready', ['logger' => 'gotask']);
                break;
            case 'reloading':
                $this->generation = $this->generation->reloading($generation);
                $this->logger->info($message ?? 'reloading', ['logger' => 'gotask']);
                break;
            case 'reloaded':
                $this->generation = $this->generation->reloaded($generation);
                $this->logger->info($message ?? 'reloaded', ['logger' => 'gotask']);
                break;
            case 'reload_failed':
                $this->generation = $this->generation->failed($generation, $message ?? 'it gives no reason');
                $this->logger->error($this->generation->failure, ['logger' => 'gotask']);
                break;
            case 'stopping':
                $this->isStopping = true;
                $this->logger->info($message ?? 'stopping', ['logger' => 'gotask']);
                break;
            case 'failed':
                $this->problem = $message;
                break;
            case 'missing':
            case 'unsupported':
                $this->unusable = $event;
                break;
            default:
                $this->logger->debug($message ?? (is_string($event['event']) ? $event['event'] : ''), ['logger' => 'gotask']);
        }
    }

    private function keepTime(float $now): void
    {
        if ($this->state === WorkerState::Starting && $now >= $this->readyBy) {
            $this->problem = sprintf('it was not ready within %g seconds', $this->startTimeout);
            $stderr = $this->output->tail();
            $this->problem .= $stderr === '' ? '' : "; it wrote:\n{$stderr}";
            $this->kill();
        } elseif ($now >= $this->quitAt) {
            $this->logger->warning(sprintf('process %d did not end in time and is told to end at once', $this->pid()));
            $this->kill();
        } elseif ($now >= $this->killAt + self::STUCK) {
            $this->logger->critical(sprintf('process %d does not end, not even by SIGKILL, and is given up', $this->pid()));
            $this->state = WorkerState::Ended;
        } elseif ($now >= $this->killAt) {
            $this->child->kill();
        }
    }

    private function ended(): void
    {
        for ($reads = 0; $reads < self::LAST_READS; $reads++) {
            $read = $this->child->read(0.0);
            if ($read === ['', '']) {
                break;
            }
            $this->take($read);
        }
        $this->output->end();
        $this->child->release();
        if ($this->wasReady) {
            $this->output->release();
        }
        $this->state = WorkerState::Ended;
        if (! $this->wasReady && in_array($this->exit()?->code, [126, 127], true) && $this->problem === null) {
            // By a shell's convention, and PHP's own failure to exec: the program could not be run.
            $this->unusable ??= ['event' => 'unusable'];
        }
    }

    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }
}
