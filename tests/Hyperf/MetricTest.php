<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Hyperf;

use PHPUnit\Framework\Attributes\CoversNothing;
use Reasno\GoTask\Tests\Port;

/**
 * With hyperf/metric, as an application has it that publishes its configuration and does no more: the process that collects, the
 * driver for Prometheus.
 *
 * @internal
 */
#[CoversNothing]
final class MetricTest extends HyperfTestCase
{
    private int $port = 0;

    protected function setUp(): void
    {
        parent::setUp();
        foreach (['hyperf/metric', 'promphp/prometheus_client_php'] as $package) {
            if (! is_dir("{$this->app->directory}/vendor/{$package}")) {
                self::markTestSkipped("the application has no {$package}: composer require {$package} there");
            }
        }
        $this->port = Port::free();
        $this->app->console('vendor:publish', 'hyperf/metric');
        $this->edit('config/autoload/metric.php', "env('METRIC_BUFFER_INTERVAL', 5)", '0.1');
        $this->edit('config/autoload/metric.php', "env('DEFAULT_METRIC_INTERVAL', 5)", '0.1');
        $this->app->publish();
        // It is not there, and nobody waits for it.
        $this->edit('config/autoload/gotask.php', "return [\n", "return [\n    'apart' => ['managed' => false, 'address' => 'unix://apart.sock', 'pool' => ['connect_timeout' => 0.1]],\n");
    }

    public function testCallsAreInAHistogramAndWorkersInGauges(): void
    {
        $this->edit('gotask/app.py', 'return {"hello": name}', 'return {"hello": name} if name != "x" else 1 / 0');
        $this->start();
        $this->json('/');
        $this->json('/');
        $this->app->get('/fail');

        $metrics = '';
        Wait::until(function () use (&$metrics): bool {
            $metrics = $this->metrics();

            return preg_match('/_seconds_count\{worker="default",method="App.Hi",outcome="ok"\} 2$/m', $metrics) === 1
                && str_contains($metrics, 'gotask_up{worker="default"} 1');
        }, 20.0, function () use (&$metrics): string {
            return "not all is there:\n{$metrics}\n{$this->app->log()}";
        });
        self::assertStringContainsString('_gotask_call_seconds_count{worker="default",method="App.Hi",outcome="remote_error"} 1', $metrics);
        self::assertStringContainsString('gotask_up{worker="apart"} 0', $metrics);
        self::assertMatchesRegularExpression('/gotask_workers\{worker="default",state="\w+"\} 1$/m', $metrics);
        self::assertStringContainsString('gotask_queue_calls{worker="default"} 0', $metrics);
        self::assertStringNotContainsString('GoTask.', $metrics);
    }

    public function testWhereDefaultMetricsAreOffThereAreNone(): void
    {
        $this->start(['METRIC_ENABLE_DEFAULT_METRIC' => 'false']);
        $this->json('/');
        Wait::until(fn (): bool => $this->metrics() !== '', 20.0, $this->app->log(...));

        self::assertStringNotContainsString('gotask', $this->metrics());
    }

    /**
     * @param array<string, string> $environment
     */
    private function start(array $environment = []): void
    {
        $this->app->start($environment + ['PROMETHEUS_SCRAPE_PORT' => (string) $this->port, 'PROMETHEUS_SCRAPE_HOST' => '127.0.0.1']);
    }

    private function metrics(): string
    {
        return (string) @file_get_contents("http://127.0.0.1:{$this->port}/metrics", false, stream_context_create(['http' => ['timeout' => 5.0]]));
    }
}
