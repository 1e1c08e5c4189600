<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Console\Top;

use Reasno\GoTask\Console\Top\Activity;
use Reasno\GoTask\Console\TypedMap;

/**
 * What brokers say of themselves.
 */
final class Statuses
{
    /**
     * @param list<array<string, mixed>> $methods
     * @param list<array<string, mixed>> $workers
     * @param array<string, mixed> $more
     */
    public static function look(float $time, array $methods, array $workers, array $more = [], ?Activity $before = null): Activity
    {
        return new Activity('default', $time, TypedMap::of($more + [
            'pid' => 100, 'state' => 'ready', 'uptime' => 60.0, 'connections' => 3, 'calls' => array_sum(array_column($methods, 'calls')),
            'running' => 1, 'queued' => 2, 'queued_bytes' => 2048, 'queued_oldest' => 0.25,
            'methods' => $methods, 'workers' => $workers,
        ]), before: $before);
    }

    /**
     * @param array<string, int> $errors
     * @return array<string, mixed>
     */
    public static function method(string $name, int $calls, array $errors = [], int $bytes = 0, float $run = 0.001, float $wait = 0.00001): array
    {
        return [
            'name' => $name, 'service' => '', 'kind' => 'sync', 'calls' => $calls, 'cancelled' => 0, 'errors' => $errors, 'received' => $bytes, 'sent' => $bytes,
            'wait' => ['sum' => 1.0, 'p50' => $wait, 'p99' => 2 * $wait], 'run' => ['sum' => 1.0, 'p50' => $run, 'p99' => 2 * $run],
        ];
    }

    /**
     * @param list<array{method: string, seconds: float}> $running
     * @return array<string, mixed>
     */
    public static function worker(int $pid, int $calls = 0, array $running = [], float $cpu = 0.0, int $memory = 1_048_576): array
    {
        return [
            'pid' => $pid, 'service' => '', 'kind' => 'sync', 'generation' => 1, 'state' => $running === [] ? 'idle' : 'busy', 'calls' => $calls,
            'age' => 60.0, 'running' => $running, 'memory' => $memory, 'cpu' => $cpu,
        ];
    }
}
