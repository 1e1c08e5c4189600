<?php

declare(strict_types=1);

use function Hyperf\Support\env;

/*
 * The Python workers, by their names. "default" is the one that is injected as GoTask; GoTaskFactory and #[Worker('name')] give
 * the others. A key that is left out has the value that is shown here, and so has an empty variable; a key that is unknown is an
 * error when the server starts.
 */
return [
    'default' => [
        // Whether Hyperf starts it, watches it and ends it; false: it is deployed apart and only called.
        'managed' => env('GOTASK_MANAGED', true),

        // unix:///path (at most 106 bytes; a relative one counts from the project), tcp://host:port or tls://host:port; of one that is
        // not managed also several, in a list or with commas.
        'address' => env('GOTASK_ADDRESS', 'unix://runtime/gotask/default.sock'),

        // The key that both sides of a network address must have, 16 bytes or more (openssl rand -hex 32 makes one), or a file that
        // holds it. Unix sockets need none.
        'key' => env('GOTASK_KEY'),
        'key_file' => env('GOTASK_KEY_FILE'),

        // For tls:// addresses, PEM files: the authorities that are trusted (null: the system's), the own certificate where the
        // worker asks for one, its private key; and the name in the worker's certificate where it is not the address's host.
        'tls' => [
            'ca' => null,
            'certificate' => null,
            'key' => null,
            'peer_name' => null,
        ],

        // The Python file, or module, that registers the services.
        'app' => env('GOTASK_APP', 'gotask/app.py'),

        // The interpreter; null: the first of .venv, venv, runtime/gotask/venv and the system's that has what is needed.
        'python' => env('GOTASK_PYTHON'),

        // Processes that run sync methods, one call at a time; null: as many as processors.
        'workers' => env('GOTASK_WORKERS'),

        // Processes that run async methods, each up to 'limits.concurrency' calls at a time; there are none without such methods.
        'async_workers' => env('GOTASK_ASYNC_WORKERS', 1),

        // Those that are there even when there is nothing to do: further ones, up to 'workers', come as calls wait, and leave after
        // so many idle seconds; null: all of them always.
        'min_workers' => env('GOTASK_MIN_WORKERS'),
        'idle_time' => env('GOTASK_IDLE_TIME', 60.0),

        // Seconds that a call may take, unless it says otherwise.
        'timeout' => env('GOTASK_TIMEOUT', 30.0),

        // Seconds until it must be ready.
        'start_timeout' => env('GOTASK_START_TIMEOUT', 60.0),

        // Seconds that running calls get when it ends; the server gives its processes twice its max_wait_time.
        'shutdown_timeout' => env('GOTASK_SHUTDOWN_TIMEOUT', 30.0),

        // A call that runs for more seconds than this is logged once, with the line that it is at; 0: none is.
        'slow_log' => env('GOTASK_SLOW_LOG', 0),

        // For development: load the app again when a Python file below its folder changes.
        'watch' => env('GOTASK_WATCH', false),

        // A page that shows what goes on, and /metrics for Prometheus: 'tcp://127.0.0.1:9180', for instance, then
        // http://127.0.0.1:9180/. Beyond this machine it asks for the key as a password. null: none.
        'web' => env('GOTASK_WEB'),

        // What methods may call back, as gotask.current_call().php.call("Config.get", …): classes, or other entries of the container,
        // by the names that Python knows them by, such as 'Config' => App\Service\ConfigService::class.
        'services' => [],

        // Who is told of each call, in this order: Reasno\GoTask\Observing\Events::class dispatches an event when it has ended,
        // OpenTelemetry::class beside it makes spans.
        'observers' => [],

        // Environment variables of the Python processes, in addition to PHP's own.
        'environment' => [],

        'limits' => [
            // Async calls that one process runs at a time.
            'concurrency' => env('GOTASK_CONCURRENCY', 100),

            // Bytes of the largest call or result, on both sides.
            'max_payload' => env('GOTASK_MAX_PAYLOAD', 64 * 1024 * 1024),

            // Calls that may wait for a free process, and their bytes altogether.
            'queue_calls' => env('GOTASK_QUEUE_CALLS', 10_000),
            'queue_bytes' => env('GOTASK_QUEUE_BYTES', 256 * 1024 * 1024),

            // Seconds that a method gets to end after its call's deadline or cancellation; then its process is killed.
            'interrupt_grace' => env('GOTASK_INTERRUPT_GRACE', 0.1),

            // A process is replaced, between two calls, after so many calls or seconds (less up to a tenth) or above so many bytes,
            // its children's included; above the hard limit it is killed at once. 0: no limit. Those of memory need psutil.
            'max_calls' => env('GOTASK_MAX_CALLS', 0),
            'max_age' => env('GOTASK_MAX_AGE', 0),
            'max_memory' => env('GOTASK_MAX_MEMORY', 0),
            'max_memory_hard' => env('GOTASK_MAX_MEMORY_HARD', 0),
        ],

        // The connections of each PHP process. One carries many calls at a time: more are opened only while all are busy.
        'pool' => [
            'min_connections' => env('GOTASK_MIN_CONNECTIONS', 1),
            'max_connections' => env('GOTASK_MAX_CONNECTIONS', 4),

            // Seconds, also for waiting for a worker that is being started.
            'connect_timeout' => env('GOTASK_CONNECT_TIMEOUT', 10.0),

            // Seconds after which a connection beyond min_connections that was not needed is closed.
            'max_idle_time' => env('GOTASK_MAX_IDLE_TIME', 60.0),
        ],

        // What Python logs goes to a channel of config/autoload/logger.php under this name; level is the least that is logged:
        // debug, info, warning or error.
        'log' => [
            'channel' => env('GOTASK_LOG_CHANNEL', 'default'),
            'name' => env('GOTASK_LOG_NAME', 'gotask'),
            'level' => env('GOTASK_LOG_LEVEL', 'info'),
        ],

        // Console commands and tests: attach to the running worker, or start a private one for their time. The variable holds for every
        // worker that has no such key.
        'console' => env('GOTASK_CONSOLE', 'attach'),
    ],
];
