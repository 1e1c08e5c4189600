<?php

declare(strict_types=1);

// load.php DRIVER ARGUMENT…: puts load on something, as it is told on standard input, until that ends. Each line is
//
//     CONCURRENCY PAYLOAD SECONDS
//
// (calls under way at a time, bytes, for how long), and is answered with a line of JSON: how many calls, in how many seconds, and
// quantiles of the microseconds that they took, and how many took over 50 ms.

namespace Reasno\GoTask\Bench;

use Throwable;
use ValueError;

use function array_slice;
use function count;
use function hrtime;
use function strlen;

const QUANTILES = [0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0];

require __DIR__ . '/../../vendor/autoload.php';
spl_autoload_register(static function (string $class): void {
    $file = __DIR__ . '/' . substr($class, strlen(__NAMESPACE__) + 1) . '.php';
    str_starts_with($class, __NAMESPACE__ . '\\') && is_file($file) && require $file;
});
ini_set('memory_limit', '-1');

/**
 * @param list<string> $arguments
 */
function driver(string $name, array $arguments): Driver
{
    return match ($name) {
        'gotask' => new GoTaskDriver($arguments[0], $arguments[1], (int) $arguments[2]),
        'socket' => new SocketDriver($arguments[0]),
        'array' => new ArrayDriver($arguments[0], $arguments[1], (int) $arguments[2]),
        'http' => new HttpDriver($arguments[0]),
        'redis' => new RedisDriver($arguments[0]),
        'stream' => new StreamDriver($arguments[0], (int) $arguments[1]),
        'process' => new ProcessDriver($arguments),
        'work' => new WorkDriver($arguments[0], $arguments[1], (int) $arguments[2], (int) $arguments[3]),
        default => throw new ValueError("no driver {$name}"),
    };
}

/**
 * @return list<int> the nanoseconds that each call took
 */
function load(Driver $driver, int $concurrency, string $payload, float $seconds): array
{
    $until = hrtime(true) + (int) ($seconds * 1e9);
    if ($driver instanceof ConcurrentDriver && $concurrency > 1) {
        return $driver->many($payload, $concurrency, $until);
    }
    $times = [];
    do {
        $started = hrtime(true);
        $driver->call($payload);
        $times[] = ($now = hrtime(true)) - $started;
    } while ($now < $until);

    return $times;
}

/**
 * @param list<int> $times sorted
 */
function late(array $times): int
{
    $late = 0;
    for ($index = count($times) - 1; $index >= 0 && $times[$index] > 50_000_000; $index--) {
        $late++;
    }

    return $late;
}

try {
    $driver = driver($argv[1], array_slice($argv, 2));
    while (($line = fgets(STDIN)) !== false) {
        [$concurrency, $length, $seconds] = explode(' ', trim($line));
        $payload = str_repeat('x', (int) $length);
        $started = hrtime(true);
        $times = load($driver, (int) $concurrency, $payload, (float) $seconds);
        $elapsed = (hrtime(true) - $started) / 1e9;
        sort($times);
        $quantiles = [];
        foreach (QUANTILES as $quantile) {
            $quantiles[(string) $quantile] = $times[(int) round($quantile * (count($times) - 1))] / 1000;
        }
        echo json_encode(['calls' => count($times), 'seconds' => $elapsed, 'quantiles' => $quantiles, 'late' => late($times)]), "\n";
    }
} catch (Throwable $error) {
    fwrite(STDERR, "{$error}\n");
    exit(1);
}
