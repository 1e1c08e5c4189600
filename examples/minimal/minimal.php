<?php

declare(strict_types=1);

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Client;
use Reasno\GoTask\Process\WorkerProcess;

$worker = new WorkerProcess(__DIR__ . '/app.py');
$worker->start();
$task = new Client($worker->address());

/** @var array{hello: string} $result */
$result = $task->call('App.Hi', 'Reasno');

printf('["hello" => "%s"]' . "\n", $result['hello']);
