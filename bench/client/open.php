<?php

declare(strict_types=1);

// open.php ADDRESS: makes calls when it is told to, answered or not: an open loop. It reads one line of JSON,
//
//     {"method": …, "start": hrtime() in ns, "at": [s after it, …], "times": [s, …]}
//
// and answers with one: for each call [when it was made, when its method began, when that ended, when the answer was there], in ns, all
// by the same clock. Each line is for one round.

use Reasno\GoTask\Client;
use Revolt\EventLoop;

require __DIR__ . '/../../vendor/autoload.php';
ini_set('memory_limit', '-1');

$client = new Client($argv[1], timeout: 60.0, maxConnections: 1);
while (($line = fgets(STDIN)) !== false) {
    /** @var array{method: string, start: int, at: list<float>, times: list<float>} $order */
    $order = json_decode($line, true);
    $records = [];
    // Connected, in this runtime, and what has to be loaded is.
    EventLoop::queue(static function () use ($client, $order): void {
        for ($call = 0; $call < 16; $call++) {
            $client->call($order['method'], 0);
        }
    });
    EventLoop::run();
    foreach ($order['at'] as $call => $at) {
        $delay = max(0.0, $at + ($order['start'] - hrtime(true)) / 1e9);
        EventLoop::delay($delay, static function () use ($client, $order, $call, &$records): void {
            $sent = hrtime(true);
            /** @var array{int, int} $times */
            $times = $client->call($order['method'], $order['times'][$call]);
            $records[$call] = [$sent, ...$times, hrtime(true)];
        });
    }
    EventLoop::run();
    ksort($records);
    echo json_encode(array_values($records)), "\n";
}
