<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

use Reasno\GoTask\Console\Figures;
use Reasno\GoTask\Console\TypedMap;

use function array_sum;
use function implode;

/**
 * What one worker did between two looks at it, as rows of tables: null stands for what can't be known, such as a rate at the first look.
 *
 * @internal
 * @phpstan-type Row array<string, null|float|string>
 */
final class Activity
{
    /** @var Row */
    public readonly array $summary;

    /** @var list<Row> */
    public readonly array $methods;

    /** @var list<Row> */
    public readonly array $processes;

    /** @var list<string> all that is wrong with it */
    public readonly array $failures;

    /** Seconds between the looks; null: there is nothing to compare with. */
    private readonly ?float $seconds;

    /**
     * @param string $worker its name, or its address
     * @param float $time seconds of a clock that only goes forward
     * @param TypedMap $status what it says of itself
     * @param string $failure why it says nothing; empty: it does
     */
    public function __construct(string $worker, public readonly float $time, public readonly TypedMap $status, public readonly string $failure = '', ?self $before = null)
    {
        // Another broker counts from 0 again.
        $isSame = $failure === '' && $before?->failure === '' && $before->status->number('pid') === $status->number('pid');
        $this->seconds = $isSame && $time > $before->time ? $time - $before->time : null;
        $old = $before->status ?? TypedMap::of(null);
        $this->methods = $this->methods($worker, $status, $old);
        $this->processes = $this->processes($worker, $status, $old);
        $this->summary = $failure === '' ? $this->summary($worker, $status, $old) : ['worker' => $worker, 'state' => 'gone'];
        $reload = $status->map('reload');
        $this->failures = array_values(array_filter([
            $failure,
            $status->text('failure'),
            $reload->text('state') === 'failed' ? "the app could not be loaded again: {$reload->text('message')}" : '',
        ], static fn (string $failure): bool => $failure !== ''));
    }

    /**
     * @return Row
     */
    private function summary(string $worker, TypedMap $status, TypedMap $old): array
    {
        $processors = array_filter(array_column($this->processes, 'cpu'), static fn (null|float|string $cpu): bool => $cpu !== null);

        return [
            'worker' => $worker,
            'state' => $status->map('reload')->text('state') === 'starting' ? 'reloading' : $status->text('state'),
            'uptime' => $status->number('uptime'),
            'rate' => $this->rate($status->number('calls'), $old->number('calls')),
            'calls' => $status->number('calls'),
            'running' => $status->number('running'),
            'queued' => $status->number('queued'),
            'queued_bytes' => $status->number('queued_bytes'),
            'queued_oldest' => $status->number('queued_oldest'),
            'connections' => $status->number('connections'),
            'memory' => (float) array_sum(array_column($this->processes, 'memory')),
            'cpu' => $processors === [] ? null : (float) array_sum($processors),
        ];
    }

    /**
     * @return list<Row>
     */
    private function methods(string $worker, TypedMap $status, TypedMap $old): array
    {
        $key = static fn (TypedMap $method): string => "{$method->text('service')}\0{$method->text('kind')}\0{$method->text('name')}";
        $before = self::by($key, $old->records('methods'));
        $rows = [];
        foreach ($status->records('methods') as $method) {
            $was = $before[$key($method)] ?? TypedMap::of(null);
            [$wait, $run] = [$method->map('wait'), $method->map('run')];
            $rows[] = [
                'worker' => $worker,
                'name' => $method->text('name'),
                'rate' => $this->rate($method->number('calls'), $was->number('calls')),
                'calls' => $method->number('calls'),
                'errors' => (float) array_sum($method->map('errors')->numbers()),
                'wait_p50' => $wait->number('p50'),
                'wait_p99' => $wait->number('p99'),
                'run_p50' => $run->number('p50'),
                'run_p99' => $run->number('p99'),
                'bytes' => $this->rate($method->number('received') + $method->number('sent'), $was->number('received') + $was->number('sent')),
            ];
        }

        return $rows;
    }

    /**
     * @return list<Row>
     */
    private function processes(string $worker, TypedMap $status, TypedMap $old): array
    {
        $key = static fn (TypedMap $process): string => $process->text('pid');
        $before = self::by($key, $old->records('workers'));
        $rows = [];
        foreach ($status->records('workers') as $process) {
            // One that has just come has done since then what it has done at all.
            $was = $before[$key($process)] ?? TypedMap::of(null);
            $running = $process->records('running');
            $rows[] = [
                'worker' => $worker,
                'pid' => $process->number('pid'),
                // The one of all services that have no workers of their own has no name.
                'service' => $process->text('service') ?: '(shared)',
                'kind' => $process->text('kind'),
                'generation' => $process->number('generation'),
                'state' => $process->text('state'),
                'rate' => $this->rate($process->number('calls'), $was->number('calls')),
                'memory' => $process->number('memory'),
                'cpu' => $this->rate($process->number('cpu'), $was->number('cpu')),
                'seconds' => ($running[0] ?? TypedMap::of(null))->number('seconds'),
                'running' => self::calls($running),
            ];
        }

        return $rows;
    }

    /**
     * @param list<TypedMap> $running the oldest first
     * @return string each method with its oldest call, and how many there are of it
     */
    private static function calls(array $running): string
    {
        $oldest = $numbers = $shown = [];
        foreach ($running as $call) {
            $method = $call->text('method');
            $oldest[$method] ??= "{$method} " . Figures::time($call->number('seconds'));
            $numbers[$method] = ($numbers[$method] ?? 0) + 1;
        }
        foreach ($numbers as $method => $number) {
            $shown[] = ($number > 1 ? "{$number} × " : '') . $oldest[$method];
        }

        return implode(', ', $shown);
    }

    private function rate(float $now, float $before): ?float
    {
        return $this->seconds === null ? null : max(0.0, $now - $before) / $this->seconds;
    }

    /**
     * @param callable(TypedMap): string $key
     * @param list<TypedMap> $records
     * @return array<array-key, TypedMap>
     */
    private static function by(callable $key, array $records): array
    {
        return array_combine(array_map($key, $records), $records);
    }
}
