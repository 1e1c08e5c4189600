<?php

declare(strict_types=1);

use App\Listener\ReloadListener;
use Hyperf\Framework\Bootstrap;
use Hyperf\Server\CoroutineServer;
use Hyperf\Server\Event;
use Hyperf\Server\Server;

$mode = (int) (getenv('SERVER_MODE') ?: SWOOLE_PROCESS);

return [
    'type' => $mode === 0 ? CoroutineServer::class : Server::class,
    'mode' => $mode ?: SWOOLE_BASE,
    'servers' => [[
        'name' => 'http',
        'type' => Server::SERVER_HTTP,
        'host' => '127.0.0.1',
        'port' => (int) (getenv('HTTP_PORT') ?: 9501),
        'sock_type' => SWOOLE_SOCK_TCP,
        'callbacks' => [Event::ON_REQUEST => [Hyperf\HttpServer\Server::class, 'onRequest']],
    ]],
    'settings' => [
        'enable_coroutine' => true,
        'worker_num' => 2,
        'pid_file' => BASE_PATH . '/runtime/hyperf.pid',
        'max_request' => (int) (getenv('MAX_REQUEST') ?: 100_000),
    ],
    'callbacks' => [
        Event::ON_WORKER_START => [Bootstrap\WorkerStartCallback::class, 'onWorkerStart'],
        Event::ON_PIPE_MESSAGE => [Bootstrap\PipeMessageCallback::class, 'onPipeMessage'],
        'beforeReload' => [ReloadListener::class, 'onBeforeReload'],
        Event::ON_WORKER_EXIT => [Bootstrap\WorkerExitCallback::class, 'onWorkerExit'],
    ],
];
