<?php

declare(strict_types=1);

// Packs a folder, with a bar that shows how far it is; Ctrl-C ends it: php examples/recipes/archive.php FOLDER FILE.zip

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Args;
use Reasno\GoTask\Client;
use Reasno\GoTask\Process\WorkerProcess;
use Reasno\GoTask\Progress;

[, $folder, $target] = $argv + [1 => dirname(__DIR__), sys_get_temp_dir() . '/examples-' . getmypid() . '.zip'];
$worker = new WorkerProcess(__DIR__ . '/archive.py', workers: 1);
$worker->start();
$task = new Client($worker->address());

// docs: bar
$bar = static fn (Progress $progress) => printf("\r[%-40s] %3d %% %-60.60s", str_repeat('#', (int) (40 * $progress->fraction)), 100 * $progress->fraction, $progress->text);

// What is thrown while the call is waited for, by the callback or here by Ctrl-C, ends the work in Python, too.
pcntl_async_signals(true);
pcntl_signal(SIGINT, static fn () => throw new RuntimeException('ended by Ctrl-C'));

try {
    $archive = $task->call('archive', new Args($folder, $target), timeout: 3600.0, onProgress: $bar);
    echo "\n{$target}: ", json_encode($archive), "\n";
} catch (RuntimeException $end) {
    echo "\n", $end->getMessage(), "\n";
}
// docs: end
