<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Metric;

use Hyperf\Contract\ConfigInterface;
use Hyperf\Coordinator\Timer;
use Hyperf\Event\Contract\ListenerInterface;
use Hyperf\Metric\Event\MetricFactoryReady;
use Hyperf\Metric\MetricFactoryPicker;
use Psr\Container\ContainerInterface;
use Reasno\GoTask\Console\TypedMap;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\GoTaskFactory;

use function count;
use function is_numeric;

/**
 * Sets gauges of hyperf/metric to what the workers say of themselves, in the one process that collects metrics: whether they answer,
 * calls that wait and run, processes by state. Those of a worker at several addresses are added up.
 *
 * @internal
 */
final class WorkerMetrics implements ListenerInterface
{
    /** Seconds that a worker gets to answer. */
    private const PATIENCE = 1.0;

    private const STATES = ['starting', 'idle', 'busy', 'leaving'];

    private readonly Timer $timer;

    public function __construct(private readonly ContainerInterface $container, private readonly ConfigInterface $config, private readonly Workers $workers, private readonly GoTaskFactory $factory)
    {
        $this->timer = new Timer();
    }

    public function listen(): array
    {
        return [MetricFactoryReady::class];
    }

    public function process(object $event): void
    {
        // A command looks at no workers on its own.
        if (! $event instanceof MetricFactoryReady || MetricFactoryPicker::$isCommand || ! CallMetrics::isWanted($this->container)) {
            return;
        }
        $clients = [];
        foreach ($this->workers->all() as $name => $worker) {
            foreach ($worker->addresses as $address) {
                $clients[$name][] = $this->factory->at($name, $address);
            }
        }
        $up = $event->factory->makeGauge('gotask_up', ['worker']);
        $queued = $event->factory->makeGauge('gotask_queue_calls', ['worker']);
        $running = $event->factory->makeGauge('gotask_running_calls', ['worker']);
        $processes = $event->factory->makeGauge('gotask_workers', ['worker', 'state']);
        $interval = $this->config->get('metric.default_metric_interval', 5);
        $this->timer->tick(is_numeric($interval) ? (float) $interval : 5.0, static function () use ($clients, $up, $queued, $running, $processes): void {
            foreach ($clients as $name => $addresses) {
                $statuses = array_filter(array_map(self::status(...), $addresses));
                $states = array_fill_keys(self::STATES, 0);
                foreach ($statuses as $status) {
                    foreach ($status->records('workers') as $process) {
                        $states[$process->text('state')] = ($states[$process->text('state')] ?? 0) + 1;
                    }
                }
                $up->with($name)->set((float) count($statuses));
                $queued->with($name)->set((float) array_sum(array_map(static fn (TypedMap $status): float => $status->number('queued'), $statuses)));
                $running->with($name)->set((float) array_sum(array_map(static fn (TypedMap $status): float => $status->number('running'), $statuses)));
                foreach ($states as $state => $number) {
                    $processes->with($name, $state)->set((float) $number);
                }
            }
        });
    }

    /**
     * @return null|TypedMap null: it does not answer
     */
    private static function status(GoTask $client): ?TypedMap
    {
        try {
            return TypedMap::of($client->call('GoTask.Status', null, self::PATIENCE));
        } catch (GoTaskException) {
            return null;
        }
    }
}
