<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf;

use Closure;
use Hyperf\Coordinator\Constants;
use Hyperf\Coordinator\CoordinatorManager;
use Hyperf\Coroutine\Coroutine;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Process\WorkerProcess;

/**
 * Workers that a console command or a run of tests has for itself: started by its first call, ended with it. Where nothing asks for
 * that, it uses the ones that the server has.
 *
 * Tests make a container for each test, and with it an object of this class: all of them share the workers.
 */
class PrivateWorkers
{
    /** How often the log records of a private worker are collected, in seconds. */
    protected const COLLECT = 0.1;

    protected bool $serving = false;

    /** @var array<string, true> asked for in this process, beyond the configuration */
    protected array $wanted = [];

    /** @var array<string, array{WorkerConfig, WorkerProcess}> */
    protected static array $workers = [];

    /** @var array<string, Client> */
    protected array $clients = [];

    /** @var array<string, true> that are being started by some coroutine */
    protected array $starting = [];

    public function __construct(protected WorkerLoggerFactory $loggers)
    {
    }

    /** This process belongs to a server from now on: it uses the server's workers. */
    public function serve(): void
    {
        $this->serving = true;
    }

    /** This process is to have a worker of its own, whatever the configuration says. */
    public function want(string $worker): void
    {
        $this->wanted[$worker] = true;
    }

    public function isFor(WorkerConfig $config): bool
    {
        return ! $this->serving && $config->managed
            && ($config->console === WorkerConfig::PRIVATE || isset($this->wanted[$config->name]));
    }

    /**
     * @param Closure(string): Client $make the client of an address
     * @throws WorkerStartFailed
     */
    public function client(WorkerConfig $config, Closure $make): Client
    {
        while (isset($this->starting[$config->name])) {
            usleep(1000);
        }
        if (isset($this->clients[$config->name])) {
            return $this->clients[$config->name];
        }
        $this->starting[$config->name] = true;
        try {
            [$started, $worker] = self::$workers[$config->name] ?? [null, null];
            // Settings are compared as values.
            if ($worker === null || $started != $config || ! $worker->isRunning()) {
                $worker?->stop();
                $worker = $this->start($config);
                self::$workers[$config->name] = [$config, $worker];
            }

            return $this->clients[$config->name] = $make($worker->address());
        } finally {
            unset($this->starting[$config->name]);
        }
    }

    /** Ends them all. The next call starts another one. */
    public function stop(): void
    {
        [$workers, $clients] = [self::$workers, $this->clients];
        self::$workers = $this->clients = [];
        foreach ($clients as $client) {
            $client->close();
        }
        foreach ($workers as [, $worker]) {
            $worker->stop();
        }
    }

    protected function start(WorkerConfig $config): WorkerProcess
    {
        $worker = $config->process(null, $this->loggers->get($config));
        $worker->start();
        if (Coroutine::inCoroutine()) {
            Coroutine::create(fn () => $this->collect($worker));
        }

        return $worker;
    }

    /** Brings the worker's log records to the logger, and ends it with the command or the tests. */
    protected function collect(WorkerProcess $worker): void
    {
        $exit = CoordinatorManager::until(Constants::WORKER_EXIT);
        while ($worker->isRunning()) {
            if ($exit->yield(self::COLLECT)) {
                $this->stop();
            }
        }
    }
}
