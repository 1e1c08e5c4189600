<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Metric;

use Closure;
use Hyperf\Contract\ConfigInterface;
use Hyperf\Metric\Adapter\NoOp\MetricFactory as NoOp;
use Hyperf\Metric\Contract\MetricFactoryInterface;
use Psr\Container\ContainerInterface;
use Reasno\GoTask\Observer;
use Throwable;

use function hrtime;
use function Hyperf\Support\make;
use function interface_exists;

/**
 * Puts each call into a histogram of hyperf/metric, `gotask_call_seconds`: how long it took for PHP, by worker, method and outcome.
 *
 * @internal
 */
final class CallMetrics implements Observer
{
    private const NAME = 'gotask_call_seconds';
    private const LABELS = ['worker', 'method', 'outcome'];

    private ?MetricFactoryInterface $factory = null;

    public function __construct(private readonly string $worker)
    {
    }

    /** Whether hyperf/metric is there and collects what it is not asked for one by one: its own `enable_default_metric`. */
    public static function isWanted(ContainerInterface $container): bool
    {
        $config = interface_exists(MetricFactoryInterface::class) ? $container->get(ConfigInterface::class) : null;

        return $config instanceof ConfigInterface && (bool) $config->get('metric.enable_default_metric', false);
    }

    public function begin(string $method, array &$headers): ?Closure
    {
        // The broker's own methods, which only look at it.
        if (str_starts_with($method, 'GoTask.')) {
            return null;
        }
        $began = hrtime(true);

        return function (?Throwable $error) use ($method, $began): void {
            $seconds = (hrtime(true) - $began) / 1e9;
            $this->factory()->makeHistogram(self::NAME, self::LABELS)->with($this->worker, $method, self::outcome($error))->put($seconds);
        };
    }

    /** Outside of coroutines, as before the server has started, hyperf/metric gives one that does nothing: that is not kept. */
    private function factory(): MetricFactoryInterface
    {
        if ($this->factory === null) {
            $factory = make(MetricFactoryInterface::class);
            if (! $factory instanceof NoOp) {
                $this->factory = $factory;
            }

            return $factory;
        }

        return $this->factory;
    }

    /**
     * @return string ok, or the exception's class, which is the error's code in docs/protocol.md where it came from the worker: remote_error
     */
    private static function outcome(?Throwable $error): string
    {
        return $error === null ? 'ok' : strtolower((string) preg_replace('/(?<=[a-z])(?=[A-Z])/', '_', substr((string) strrchr('\\' . $error::class, '\\'), 1)));
    }
}
