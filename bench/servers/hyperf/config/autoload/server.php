<?php

declare(strict_types=1);

use App\Bench\BenchController;
use Hyperf\Server\Event;

// The application's own configuration, with another port, task workers, and without what would start processes anew meanwhile.
$server = require BASE_PATH . '/config/server-of-the-application.php';
$server['servers'][0]['host'] = '127.0.0.1';
$server['servers'][0]['port'] = (int) getenv('BENCH_PORT');
$server['settings']['task_worker_num'] = (int) getenv('BENCH_TASK_WORKERS');
$server['settings']['task_enable_coroutine'] = false;
$server['settings']['max_request'] = 0;
$server['callbacks'][Event::ON_TASK] = [BenchController::class, 'onTask'];
$server['callbacks'][Event::ON_FINISH] = [BenchController::class, 'onFinish'];

return $server;
