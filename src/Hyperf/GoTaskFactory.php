<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf;

use Psr\Container\ContainerInterface;
use Reasno\GoTask\Address;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Hyperf\Config\Workers;

use function assert;

/**
 * Makes the clients of the workers, one of each name in a process.
 *
 *     public function __construct(private GoTask $task)                  // the worker "default"
 *     public function __construct(GoTaskFactory $workers)
 *     {
 *         $this->ml = $workers->get('ml');
 *     }
 */
class GoTaskFactory
{
    /** @var array<string, GoTask> */
    protected array $clients = [];

    public function __construct(protected ContainerInterface $container)
    {
    }

    public function __invoke(ContainerInterface $container): GoTask
    {
        // The container makes another factory for this than the one that it injects.
        $factory = $container->get(self::class);

        return $factory instanceof self ? $factory->get() : $this->get();
    }

    /**
     * @param string $name a key of config/autoload/gotask.php; its calls fail with InvalidConfiguration where there is no such
     *                     worker, or a setting is wrong
     */
    public function get(string $name = Workers::DEFAULT): GoTask
    {
        return $this->clients[$name] ??= $this->make($name);
    }

    /**
     * Puts something else in the place of a worker, for tests.
     */
    public function set(string $name, GoTask $client): void
    {
        $this->clients[$name] = $client;
    }

    /**
     * The client of a worker that is deployed at several addresses, for one of them alone.
     *
     * @throws InvalidConfiguration
     */
    public function at(string $name, Address|string $address): GoTask
    {
        $client = $this->get($name);

        return $client instanceof WorkerClient ? $client->at($address) : $client;
    }

    protected function make(string $name): GoTask
    {
        $workers = $this->container->get(Workers::class);
        $private = $this->container->get(PrivateWorkers::class);
        $loggers = $this->container->get(WorkerLoggerFactory::class);
        assert($workers instanceof Workers && $private instanceof PrivateWorkers && $loggers instanceof WorkerLoggerFactory);

        return new WorkerClient($name, $workers, $private, $loggers, $this->container);
    }
}
