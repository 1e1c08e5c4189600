<?php

// A PHP program with a worker: says its address and process ids, and waits to be killed.

declare(strict_types=1);

require __DIR__ . '/../../../../vendor/autoload.php';

use Reasno\GoTask\Process\WorkerProcess;
use Swoole\Runtime;

$worker = new WorkerProcess(__DIR__ . '/app.py', workers: 1);
if (($argv[1] ?? '') === 'coroutine') {
    Runtime::enableCoroutine(SWOOLE_HOOK_ALL);
    Swoole\Coroutine\run(static function () use ($worker): void {
        $worker->start();
        echo json_encode(['address' => $worker->address(), 'pid' => $worker->pid()]), "\n";

        throw new RuntimeException('Nobody catches this.');
    });
}
$worker->start();
echo json_encode(['address' => $worker->address(), 'pid' => $worker->pid()]), "\n";
if (($argv[1] ?? '') === 'fatal') {
    str_repeat('x', PHP_INT_MAX);
}
if (($argv[1] ?? '') === 'exit') {
    exit(3);
}
sleep(60);
