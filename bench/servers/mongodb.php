<?php

declare(strict_types=1);

// mongodb.php PORT TASK_WORKERS BROKER: an HTTP server of one process that reads MongoDB, as /WAY/WHAT, and answers how many documents
// it has as PHP arrays. MONGODB_URI names the server, BENCH_DATABASE what is read there.

use MongoDB\Driver\Manager;
use MongoDB\Driver\Query;
use Reasno\GoTask\Client;
use Swoole\Http\Request;
use Swoole\Http\Response;
use Swoole\Http\Server;

require __DIR__ . '/../../vendor/autoload.php';
ini_set('memory_limit', '-1');

[, $port, $taskWorkers, $broker] = $argv;
$client = new Client($broker, timeout: 60.0);
$server = new Server('127.0.0.1', (int) $port, SWOOLE_BASE);
$server->set(['worker_num' => 1, 'task_worker_num' => (int) $taskWorkers, 'log_level' => SWOOLE_LOG_ERROR, 'open_tcp_nodelay' => true, 'hook_flags' => SWOOLE_HOOK_ALL]);

$server->on('WorkerStart', static function (Server $server): void {
    cli_set_process_title('bench ' . ($server->taskworker ? 'task worker' : 'HTTP worker'));
});
$server->on('Task', static fn (Server $server, int $id, int $from, mixed $data): array => read($data[0], $data[1]));
$server->on('Finish', static function (): void {
});
$server->on('Request', static function (Request $request, Response $response) use ($server, $client): void {
    [, $way, $what] = explode('/', $request->server['request_uri'] . '/');
    $number = mt_rand(0, 999);
    $documents = match ($way) {
        'bare' => [],
        'extension' => read($what, $number),
        'task' => $server->taskCo([[$what, $number]], 60.0)[0] ?? null,
        'gotask' => $client->call($what, $number),
        'motor' => $client->call("Motor.{$what}", $number),
        default => null,
    };
    $response->status($documents === null || $documents === false ? 500 : 200);
    $response->end((string) (is_array($documents) ? count($documents) : 0));
});
$server->start();

/**
 * @return array<mixed>
 */
function read(string $what, int $number): array
{
    static $manager = null;
    $manager ??= new Manager((string) getenv('MONGODB_URI'));
    [$collection, $filter] = match ($what) {
        'one' => ['users', ['_id' => $number]],
        'hundred' => ['users', ['_id' => ['$lt' => 100]]],
        'large' => ['large', ['_id' => 0]],
        'slow' => ['scanned', ['text' => ['$regex' => 'y$']]],
    };
    $cursor = $manager->executeQuery(getenv('BENCH_DATABASE') . '.' . $collection, new Query($filter));
    $cursor->setTypeMap(['root' => 'array', 'document' => 'array', 'array' => 'array']);

    return $cursor->toArray();
}
