<?php

declare(strict_types=1);

/*
 * A client that calls without a pause until its standard input ends, and says on standard output, as lines of JSON, when a
 * call begins and what has become of it: "ok", "wrong", or the kind of error.
 *
 *     php load.php ADDRESS NAME TIMEOUT SLEEP PAUSE
 */

use Reasno\GoTask\Args;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\GoTaskException;

require __DIR__ . '/../../../vendor/autoload.php';

[, $address, $name, $timeout, $sleep, $pause] = $argv;

$kinds = [
    'ConnectFailed' => 'connect_failed', 'ConnectionLost' => 'connection_lost', 'DeadlineExceeded' => 'deadline_exceeded',
    'WorkerCrashed' => 'worker_crashed', 'RemoteError' => 'remote_error', 'Unavailable' => 'unavailable', 'Overloaded' => 'overloaded',
];

$say = static function (string $token, string $event, string $message = ''): void {
    fwrite(STDOUT, json_encode(['token' => $token, 'event' => $event, 'message' => $message], JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
};

$judge = static function (string $token, string $body, int $times, mixed $value) use ($say, $kinds): void {
    if ($value instanceof GoTaskException) {
        $class = (new ReflectionClass($value))->getShortName();
        $say($token, $kinds[$class] ?? $class, $value->getMessage());
    } else {
        $say($token, $value === [$token, crc32($body), str_repeat($body, $times)] ? 'ok' : 'wrong');
    }
};

mt_srand(crc32($name));
$client = new Client($address, timeout: (float) $timeout, connectTimeout: (float) $timeout);
$number = 0;
stream_set_blocking(STDIN, false);
while (! feof(STDIN)) {
    fread(STDIN, 1);
    usleep((int) ((float) $pause * 1e6));
    $calls = $bodies = [];
    for ($count = mt_rand(0, 2) === 0 ? 12 : 1; $count > 0; $count--) {
        $token = "{$name}-" . $number++;
        [$size, $times] = [[0, 1], [1, 1], [10, 1], [10, 1], [100, 1], [25_000, 1], [100, 250]][mt_rand(0, 6)];
        $body = str_repeat(random_bytes(8), $size);
        $method = ['Sync.work', 'Async.work', 'Own.work'][mt_rand(0, 2)];
        $calls[$token] = [$method, new Args($token, mt_rand(0, 3) === 0 ? (float) $sleep : 0.0, new Bytes($body), $times)];
        $bodies[$token] = [$body, $times];
        $say($token, 'begun');
    }
    $failed = false;
    if (count($calls) === 1) {
        [$method, $arguments] = $calls[$token];

        try {
            $results = [$token => $client->call($method, $arguments)];
        } catch (GoTaskException $exception) {
            $results = [$token => $exception];
        }
    } else {
        $results = $client->parallel($calls, throw: false);
    }
    foreach ($results as $token => $value) {
        $judge($token, ...[...$bodies[$token], $value]);
        $failed = $failed || $value instanceof GoTaskException;
    }
    if ($failed) {
        usleep(20_000);
    }
}
