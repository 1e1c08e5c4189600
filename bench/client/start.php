<?php

declare(strict_types=1);

// start.php APP METHOD PYTHON: prints the milliseconds from nothing to the first answer.

use Reasno\GoTask\Client;
use Reasno\GoTask\Process\WorkerProcess;

require __DIR__ . '/../../vendor/autoload.php';

[, $app, $method, $python] = $argv;
$started = hrtime(true);
$worker = new WorkerProcess($app, python: $python);
$worker->start();
(new Client($worker->address()))->call($method);
echo (hrtime(true) - $started) / 1e6, "\n";
$worker->stop();
