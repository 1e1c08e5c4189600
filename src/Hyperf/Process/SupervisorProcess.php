<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Process;

use Hyperf\Coordinator\Constants;
use Hyperf\Coordinator\CoordinatorManager;
use Hyperf\Coroutine\Coroutine;
use Hyperf\Engine\Constant;
use Hyperf\Process\AbstractProcess;
use Hyperf\Process\ProcessManager;
use Psr\Container\ContainerInterface;
use Psr\Log\LoggerInterface;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Hyperf\WorkerLoggerFactory;
use Reasno\GoTask\Process\Status\Availability;
use Reasno\GoTask\Process\Status\StatusFile;
use Reasno\GoTask\Process\Status\WorkerStatus;
use Reasno\GoTask\Process\Supervision\Announcer;
use Reasno\GoTask\Process\Supervision\Backoff;
use Reasno\GoTask\Process\Supervision\FileWatch;
use Reasno\GoTask\Process\Supervision\Supervisor;
use Reasno\GoTask\Process\WorkerProcess;
use Swoole\Server;
use Throwable;

use function assert;
use function function_exists;

/**
 * The process of Hyperf's that watches one Python worker; a coroutine where the server is one of coroutines. What it watches
 * ends with it.
 */
class SupervisorProcess extends AbstractProcess
{
    /** Seconds between two looks whether the server has ended, where no signal says so. */
    protected const LOOK = 0.1;

    /** Seconds that Hyperf waits for messages to this process before it lets it end. */
    protected float $recvTimeout = 0.2;

    protected int $restartInterval = 0;

    protected readonly LoggerInterface $logger;

    protected mixed $server = null;

    private ?Supervisor $supervisor = null;

    private bool $ending = false;

    public function __construct(ContainerInterface $container, protected readonly WorkerConfig $config)
    {
        parent::__construct($container);
        $this->name = "gotask-{$config->name}";
        $factory = $container->get(WorkerLoggerFactory::class);
        assert($factory instanceof WorkerLoggerFactory);
        $this->logger = $factory->get($config);
    }

    public function isEnable($server): bool
    {
        return $this->config->managed;
    }

    public function bind($server): void
    {
        $this->server = $server;
        // Callers may be there before this process is. A server that goes into the background has not its final number yet.
        $pid = $server instanceof Server && ! empty($server->setting['daemonize']) ? 0 : (int) getmypid();
        (new StatusFile($this->config->address))->write(WorkerStatus::of(Availability::Starting, '', $pid, 0));
        parent::bind($server);
    }

    /**
     * Runs until the server ends.
     */
    public function handle(): void
    {
        $this->ending = false;
        $signals = new SignalWatch();
        $signals->on(SIGHUP, $this->reload(...));
        if (! Constant::isCoroutineServer($this->server)) {
            $signals->on(SIGTERM, $this->end(...));
            // Ctrl-C reaches every process of the terminal; this one waits to be told by the server.
            $signals->on(SIGINT, static fn () => null);
        }
        Coroutine::create($this->watch(...));
        $backoff = new Backoff(burst: 1);
        $reported = '';
        try {
            while (! $this->ending) {
                $this->pause($backoff->delay(hrtime(true) / 1e9));
                $reported = $this->supervise($reported);
            }
        } finally {
            $this->ending = true;
            $signals->stop();
            (new StatusFile($this->config->address))->remove();
        }
    }

    /**
     * Has the app loaded again, as it is now, beside what runs.
     */
    public function reload(): void
    {
        $this->supervisor?->reload();
    }

    protected function makeWorker(): WorkerProcess
    {
        return $this->config->process($this->config->address, $this->logger);
    }

    /**
     * @param string $reported the last thing that was said to be wrong
     * @return string what is wrong now, after having said it
     */
    private function supervise(string $reported): string
    {
        if ($this->ending) {
            return '';
        }
        try {
            $events = new WorkerEvents($this->config->name, $this->event);
            $this->supervisor = new Supervisor(
                $this->makeWorker(),
                $this->logger,
                patient: true,
                watch: $this->config->watch ? new FileWatch($this->config->app, $this->config->directory) : null,
                announcer: new Announcer([$this->config->address], $this->owner(), $events->on(...)),
            );
            $this->supervisor->run();

            return '';
        } catch (Throwable $failure) {
            // A setting that no start can mend, or a program that can't be run at all.
            $message = "the Python worker can't be started: {$failure->getMessage()}";
            $this->announce(Availability::Failed, $message, $this->owner());
            if ($message !== $reported) {
                $this->logger->critical($message, ['logger' => 'gotask']);
            }

            return $message;
        } finally {
            $this->supervisor = null;
        }
    }

    private function end(): void
    {
        // Asked twice, the worker would end without finishing its calls.
        if (! $this->ending) {
            $this->ending = true;
            $this->supervisor?->stop();
        }
    }

    /**
     * Ends with the server also where no signal comes: a coroutine server, or one that was killed.
     */
    private function watch(): void
    {
        $parent = $this->parent();
        $exit = CoordinatorManager::until(Constants::WORKER_EXIT);
        while (! $this->ending) {
            if ($exit->yield(self::LOOK) || ! ProcessManager::isRunning() || $this->parent() !== $parent) {
                $this->end();

                return;
            }
        }
    }

    private function pause(float $seconds): void
    {
        $until = hrtime(true) + (int) ($seconds * 1e9);
        while (! $this->ending && hrtime(true) < $until) {
            usleep((int) (self::LOOK * 1e6));
        }
    }

    private function announce(Availability $availability, string $message, int $owner): void
    {
        (new StatusFile($this->config->address))->write(WorkerStatus::of($availability, $message, $owner, (int) getmypid()));
    }

    /** The process that starts this one again when it ends by mistake. */
    private function owner(): int
    {
        return Constant::isCoroutineServer($this->server) ? (int) getmypid() : $this->parent();
    }

    private function parent(): int
    {
        return function_exists('posix_getppid') ? posix_getppid() : 0;
    }
}
