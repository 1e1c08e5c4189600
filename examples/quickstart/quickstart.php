<?php

declare(strict_types=1);

// Starts a Python worker, gives it work, and ends with it. Read it from top to bottom.

require __DIR__ . '/../../vendor/autoload.php';
require __DIR__ . '/Screen.php';

use Reasno\GoTask\Args;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Process\WorkerProcess;

const LINES = 200_000;
const CHUNKS = 12;
const CHUNK = 25_000;

$screen = new Screen();
$folder = sys_get_temp_dir() . '/gotask-quickstart-' . getmypid();
mkdir($folder, 0o700);

// ---- a worker of our own ------------------------------------------------------------------------------------------------

$screen->title('Starting Python');
$worker = new WorkerProcess(__DIR__ . '/app.py');
$started = microtime(true);
$worker->start();
$task = new Client($worker->address(), timeout: 120.0);
/** @var array{pid: int, python: string, workers: list<array{pid: int}>} $status */
$status = $task->call('GoTask.Status');
$pids = [$status['pid'], ...array_column($status['workers'], 'pid')];
$screen->line('Python %s, ready after %d ms: broker %d, workers %s', $status['python'], 1000 * (microtime(true) - $started), $pids[0], implode(', ', array_slice($pids, 1)));

// ---- statistics over a file ---------------------------------------------------------------------------------------------

$screen->title('Statistics over a log file');
$size = $task->call('AccessLog.generate', ["{$folder}/access.log", LINES]);
assert(is_int($size));
$screen->line('%s requests, %.1f MB', number_format(LINES), $size / 1e6);
$started = microtime(true);
/** @var array{engine: string, routes: array<string, array{requests: int, errors: int, p50: float, p95: float, p99: float}>} $report */
$report = $task->call('AccessLog.report', "{$folder}/access.log");
$screen->line('%-12s %9s %7s %8s %8s %8s', 'route', 'requests', 'errors', 'p50 ms', 'p95 ms', 'p99 ms');
foreach ($report['routes'] as $route => $of) {
    $screen->line('%-12s %9d %7d %8.1f %8.1f %8.1f', $route, ...array_values($of));
}
$screen->line('by %s, in %d ms', $report['engine'], 1000 * (microtime(true) - $started));

// ---- work for every processor -------------------------------------------------------------------------------------------

$screen->title(sprintf('Counting the primes below %s', number_format(CHUNKS * CHUNK)));
$chunks = array_map(static fn (int $i) => new Args($i * CHUNK, ($i + 1) * CHUNK), range(0, CHUNKS - 1));
$number = static fn (mixed $value): int => is_int($value) ? $value : throw new UnexpectedValueException('a number was expected');

$started = microtime(true);
$one = 0;
foreach ($chunks as $done => $chunk) {
    $screen->progress('one at a time', $done, CHUNKS);
    $one += $number($task->call('primes', $chunk));
}
$alone = microtime(true) - $started;
$screen->line('one at a time   %d primes in %.2f s', $one, $alone);

$started = microtime(true);
$futures = array_map(static fn (Args $chunk) => $task->callAsync('primes', $chunk), $chunks);
$all = 0;
foreach ($futures as $done => $future) {
    $screen->progress('all at once', $done, CHUNKS);
    $all += $number($future->await());
}
$together = microtime(true) - $started;
$screen->line('all at once     %d primes in %.2f s on %d workers: %.1f times as fast', $all, $together, count($status['workers']), $alone / $together);

// ---- bytes --------------------------------------------------------------------------------------------------------------

$screen->title('A picture made in Python');
$png = $task->call('picture', ['width' => 320, 'height' => 256]);
assert(is_string($png));
file_put_contents("{$folder}/picture.png", $png);
[$width, $height] = getimagesizefromstring($png) ?: [0, 0];
$screen->line('%d bytes of PNG, %d × %d', strlen($png), $width, $height);

// ---- an error -----------------------------------------------------------------------------------------------------------

$screen->title('An error in Python is an exception in PHP');
try {
    $task->call('AccessLog.report', '/no/such/file');
} catch (RemoteError $error) {
    $screen->line('%s', $error->getMessage());
    $screen->quote($error->traceback);
}

// ---- and nothing is left ------------------------------------------------------------------------------------------------

$screen->title('Ending');
$worker->stop();
array_map(unlink(...), ["{$folder}/access.log", "{$folder}/picture.png"]);
rmdir($folder);
$left = array_filter($pids, static fn (int $pid) => posix_kill($pid, 0));
$socket = substr($worker->address(), strlen('unix://'));
$screen->line('processes left: %d, sockets left: %d', count($left), (int) file_exists($socket));
exit($left === [] && ! file_exists($socket) && $one === $all ? 0 : 1);
