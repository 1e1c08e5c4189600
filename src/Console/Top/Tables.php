<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

use Reasno\GoTask\Console\Figures;

/**
 * The tables of `gotask top`. The first column of each says whose a row is.
 *
 * @internal
 */
final class Tables
{
    /**
     * @return non-empty-list<Column>
     */
    public static function workers(): array
    {
        return [
            new Column('worker', 'worker', isPlace: true),
            new Column('state', 'state', style: self::state(...)),
            new Column('uptime', 'up for', Figures::duration(...)),
            new Column('rate', 'calls/s', Figures::rate(...)),
            new Column('calls', 'total', Figures::count(...)),
            new Column('running', 'running', Figures::count(...)),
            new Column('queued', 'queue', Figures::count(...)),
            new Column('queued_bytes', 'bytes', Figures::size(...), isExtra: true),
            new Column('queued_oldest', 'oldest', Figures::time(...), isExtra: true),
            new Column('connections', 'conns', Figures::count(...), isExtra: true),
            new Column('memory', 'memory', Figures::size(...)),
            new Column('cpu', 'CPU', Figures::percent(...)),
        ];
    }

    /**
     * @return non-empty-list<Column>
     */
    public static function methods(): array
    {
        return [
            new Column('worker', 'worker', isPlace: true),
            new Column('name', 'method', key: 'n'),
            new Column('rate', 'calls/s', Figures::rate(...), 'c'),
            new Column('calls', 'total', Figures::count(...), 't', isExtra: true),
            new Column('errors', 'errors', Figures::count(...), 'e', style: static fn (float|string $errors): string => $errors > 0 ? 'fg=red' : ''),
            new Column('wait_p50', 'wait p50', Figures::time(...)),
            new Column('wait_p99', 'p99', Figures::time(...), 'w'),
            new Column('run_p50', 'run p50', Figures::time(...)),
            new Column('run_p99', 'p99', Figures::time(...), 'x'),
            new Column('bytes', 'bytes/s', Figures::size(...), 'b', isExtra: true),
        ];
    }

    /**
     * @return non-empty-list<Column>
     */
    public static function processes(): array
    {
        return [
            new Column('worker', 'worker', isPlace: true),
            new Column('pid', 'process', static fn (float $pid): string => (string) (int) $pid),
            new Column('service', 'service', key: 'n'),
            new Column('kind', 'kind'),
            new Column('generation', 'gen', Figures::count(...), isExtra: true),
            new Column('state', 'state', style: self::state(...)),
            new Column('rate', 'calls/s', Figures::rate(...), 'c'),
            new Column('memory', 'memory', Figures::size(...), 'm'),
            new Column('cpu', 'CPU', Figures::percent(...), 'u'),
            new Column('running', 'runs', key: 'x', sort: 'seconds'),
        ];
    }

    private static function state(float|string $state): string
    {
        return match ($state) {
            'ready', 'busy' => 'fg=green',
            'gone' => 'fg=red',
            'idle' => '',
            default => 'fg=yellow',
        };
    }
}
