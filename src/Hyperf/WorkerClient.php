<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf;

use Closure;
use Generator;
use Psr\Container\ContainerInterface;
use Reasno\GoTask\Address;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Future;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Hyperf\Config\OptionNames;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\Metric\CallMetrics;
use Reasno\GoTask\Observer;
use Reasno\GoTask\Outcome;
use Reasno\GoTask\Service;
use ValueError;

/**
 * What is injected: the client of a named worker, made when it is first used, so that a setting that can't work is an error of
 * the call and not of every class that has it injected.
 *
 * @internal
 */
class WorkerClient implements GoTask
{
    private ?Client $client = null;

    /** @var array<string> what generated classes were made from */
    private array $signatures = [];

    /**
     * @param string $name a key of config/autoload/gotask.php
     */
    public function __construct(
        protected readonly string $name,
        protected readonly Workers $workers,
        protected readonly PrivateWorkers $private,
        protected readonly WorkerLoggerFactory $loggers,
        protected readonly ContainerInterface $container,
    ) {
    }

    public function call(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): mixed
    {
        return ($this->client ?? $this->client())->call($method, $payload, $timeout, $onProgress, $input, $key, $headers);
    }

    public function callAsync(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): Future
    {
        return ($this->client ?? $this->client())->callAsync($method, $payload, $timeout, $onProgress, $input, $key, $headers);
    }

    public function stream(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): Generator
    {
        return ($this->client ?? $this->client())->stream($method, $payload, $timeout, $onProgress, $input, $key, $headers);
    }

    public function parallel(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): array
    {
        return ($this->client ?? $this->client())->parallel($calls, $concurrency, $timeout, $throw);
    }

    public function completed(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): Generator
    {
        return ($this->client ?? $this->client())->completed($calls, $concurrency, $timeout, $throw);
    }

    public function notify(string $method, mixed $payload = null, null|int|string $key = null, array $headers = [], bool $durable = false): ?string
    {
        return ($this->client ?? $this->client())->notify($method, $payload, $key, $headers, $durable);
    }

    public function outcome(string $id): Outcome
    {
        return ($this->client ?? $this->client())->outcome($id);
    }

    public function service(string $name): Service
    {
        return new Service($this, $name);
    }

    public function expectSignatures(string $signatures): void
    {
        $this->signatures[$signatures] = $signatures;
        $this->client?->expectSignatures($signatures);
    }

    /**
     * A client of the worker at one of its addresses alone.
     *
     * @throws InvalidConfiguration
     */
    public function at(Address|string $address): GoTask
    {
        return $this->make($this->workers->get($this->name), [$address]);
    }

    /**
     * @param non-empty-list<Address|string> $addresses the worker's own, or that of a private one where this process is to have that
     * @throws InvalidConfiguration
     */
    protected function make(WorkerConfig $config, array $addresses): Client
    {
        try {
            $client = new Client(
                $addresses,
                timeout: $config->timeout,
                connectTimeout: $config->connectTimeout,
                maxConnections: $config->maxConnections,
                minConnections: $config->minConnections,
                maxIdleTime: $config->maxIdleTime,
                maxPayload: $config->maxPayload,
                logger: $this->loggers->get($config),
                key: $config->key,
                tls: $config->tls,
                hints: OptionNames::forClient($config),
                // When they are first called: one may well have this client injected.
                services: array_map(fn (string $entry): Closure => fn (): mixed => $this->container->get($entry), $config->services),
                observers: [...array_map($this->observer(...), $config->observers), ...$this->metrics()],
            );
            array_map($client->expectSignatures(...), $this->signatures);

            return $client;
        } catch (ValueError $error) {
            throw new InvalidConfiguration("gotask.{$config->name}: {$error->getMessage()}", 0, $error);
        }
    }

    private function observer(string $entry): Observer
    {
        $observer = $this->container->get($entry);

        return $observer instanceof Observer ? $observer : throw new ValueError("{$entry}, one of its observers, is no " . Observer::class . '.');
    }

    /**
     * @return list<Observer> none unless hyperf/metric collects
     */
    private function metrics(): array
    {
        return CallMetrics::isWanted($this->container) ? [new CallMetrics($this->name)] : [];
    }

    private function client(): Client
    {
        $config = $this->workers->get($this->name);
        if ($this->private->isFor($config)) {
            // Not kept: a private worker ends before this object does.
            return $this->private->client($config, fn (string $address): Client => $this->make($config, [$address]));
        }

        return $this->client = $this->make($config, $config->addresses);
    }
}
