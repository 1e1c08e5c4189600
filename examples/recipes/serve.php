<?php

declare(strict_types=1);

// Two pages in a browser, one with a chat, one with a long job: php examples/recipes/serve.php [HOST:PORT]
// This starts PHP's own web server and a worker. In Hyperf, and with PHP-FPM beside `gotask serve`, there is nothing to start.

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Process\WorkerProcess;
use Symfony\Component\Console\Logger\ConsoleLogger;
use Symfony\Component\Console\Output\ConsoleOutput;

$address = $argv[1] ?? '127.0.0.1:8080';
$worker = new WorkerProcess(__DIR__ . '/web.py', workers: 1, logger: new ConsoleLogger(new ConsoleOutput(ConsoleOutput::VERBOSITY_VERY_VERBOSE)));
$worker->start();

$server = pcntl_fork();
if ($server === 0) {
    // Each of its processes serves one request at a time, and a stream is a long one. They are a group, to be ended together.
    posix_setsid();
    pcntl_exec(PHP_BINARY, ['-S', $address, __DIR__ . '/web.php'], ['GOTASK_ADDRESS' => $worker->address(), 'PHP_CLI_SERVER_WORKERS' => '4'] + getenv());
    exit(1);
}
$ended = false;
pcntl_async_signals(true);
foreach ([SIGINT, SIGTERM] as $signal) {
    pcntl_signal($signal, static function () use (&$ended): void {
        $ended = true;
    });
}

echo "http://{$address}/chat and http://{$address}/archive, until Ctrl-C\n";
while (! $ended && $worker->isRunning() && pcntl_waitpid($server, $status, WNOHANG) === 0) {
    usleep(50_000);
}
posix_kill(-$server, SIGTERM);
