<?php

declare(strict_types=1);

// swoole.php PORT TASK_WORKERS NAME=BROKER…: an HTTP server of one process, with a route for each way to have a call answered: one of
// its name for each broker.

use Reasno\GoTask\Client;
use Swoole\Http\Request;
use Swoole\Http\Response;
use Swoole\Http\Server;

require __DIR__ . '/../../vendor/autoload.php';
ini_set('memory_limit', '-1');

const DATA = ['Swoole is Awesome,', 'So is Python!'];

[, $port, $taskWorkers] = $argv;
$clients = [];
foreach (array_slice($argv, 3) as $argument) {
    [$name, $address] = explode('=', $argument, 2);
    $clients["/{$name}"] = new Client($address, timeout: 60.0);
}
$server = new Server('127.0.0.1', (int) $port, SWOOLE_BASE);
$server->set(['worker_num' => 1, 'task_worker_num' => (int) $taskWorkers, 'log_level' => SWOOLE_LOG_ERROR, 'open_tcp_nodelay' => true, 'hook_flags' => SWOOLE_HOOK_ALL]);

$server->on('WorkerStart', static function (Server $server): void {
    cli_set_process_title('bench ' . ($server->taskworker ? 'task worker' : 'HTTP worker'));
});
$server->on('Task', static fn (Server $server, int $id, int $from, mixed $data): mixed => $data);
$server->on('Finish', static function (): void {
});
$server->on('Request', static function (Request $request, Response $response) use ($server, $clients): void {
    $uri = is_array($request->server) ? $request->server['request_uri'] : '';
    $answer = match ($uri) {
        '/bare' => DATA,
        '/task' => $server->taskCo([DATA], 60.0)[0] ?? null,
        '/file' => throughFile($server, 256 << 20),
        default => $clients[$uri]->call('echo', DATA),
    };
    $response->status($answer === null ? 500 : 200);
    $response->end((string) json_encode($answer));
});
$server->start();

/**
 * Swoole hands large data to a task, and back, in a temporary file.
 *
 * @return float the seconds that both ways took
 */
function throughFile(Server $server, int $bytes): ?float
{
    $data = str_repeat('x', $bytes);
    $started = hrtime(true);
    $answer = $server->taskCo([$data], 60.0)[0] ?? null;

    return $answer === $data ? (hrtime(true) - $started) / 1e9 : null;
}
