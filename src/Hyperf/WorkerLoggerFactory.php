<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf;

use Hyperf\Contract\StdoutLoggerInterface;
use Hyperf\Logger\LoggerFactory;
use Psr\Container\ContainerInterface;
use Psr\Log\LoggerInterface;
use Psr\Log\NullLogger;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Throwable;

/**
 * Where the log records of a worker go.
 *
 * @internal
 */
class WorkerLoggerFactory
{
    /** @var array<string, LoggerInterface> */
    protected array $loggers = [];

    public function __construct(protected ContainerInterface $container)
    {
    }

    public function get(WorkerConfig $config): LoggerInterface
    {
        return $this->loggers[$config->name] ??= new WorkerLogger($config->name, $this->channel($config), $this->console());
    }

    /**
     * @return null|LoggerInterface null where hyperf/logger is missing, or has no such channel
     */
    protected function channel(WorkerConfig $config): ?LoggerInterface
    {
        if (! class_exists(LoggerFactory::class)) {
            return null;
        }
        try {
            $factory = $this->container->get(LoggerFactory::class);

            return $factory instanceof LoggerFactory ? $factory->get($config->logName, $config->logChannel) : null;
        } catch (Throwable $error) {
            $this->console()->warning("gotask.{$config->name}.log: {$error->getMessage()}; the log goes to the console");

            return null;
        }
    }

    protected function console(): LoggerInterface
    {
        $logger = $this->container->has(StdoutLoggerInterface::class) ? $this->container->get(StdoutLoggerInterface::class) : null;

        return $logger instanceof LoggerInterface ? $logger : new NullLogger();
    }
}
