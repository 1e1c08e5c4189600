<?php

declare(strict_types=1);

/*
 * Callers on one machine: php network.php '{"addresses": [...], "method": "Net.Again", "seconds": 0.1, "callers": 8, ...}'.
 *
 * A caller is a coroutine where Swoole is loaded, else a fiber of Revolt's loop; "plain": true has one that blocks. They call until standard input
 * ends. Each outcome is a line of JSON: [seconds since the start, latency in s, machine or the error's class, the error's message].
 */

use Reasno\GoTask\Args;
use Reasno\GoTask\Client;
use Reasno\GoTask\Tls;
use Revolt\EventLoop;
use Swoole\Coroutine;

require dirname(__DIR__, 2) . '/vendor/autoload.php';

$given = json_decode($argv[1], true, flags: JSON_THROW_ON_ERROR) + ['plain' => false, 'callers' => 1, 'timeout' => 30.0, 'calls' => PHP_INT_MAX, 'pause' => 0.0, 'ca' => null, 'key' => null, 'bytes' => 0];
$client = new Client($given['addresses'], timeout: $given['timeout'], connectTimeout: 5.0, key: $given['key'], tls: new Tls(ca: $given['ca']));
$start = hrtime(true);
$isOver = false;
$left = $given['calls'];

$caller = static function (int $number, Closure $pause) use ($given, $client, $start, &$isOver, &$left): void {
    for ($i = 0; ! $isOver && $left-- > 0; $i++) {
        $id = getmypid() . ".{$number}.{$i}";
        $began = hrtime(true);
        $error = '';

        try {
            [$answered, $who] = $client->call($given['method'], isset($given['seconds']) ? new Args($id, $given['seconds'], str_repeat('x', $given['bytes'])) : $id);
            if ($answered !== $id) {
                $who = 'wrong';
            }
        } catch (Throwable $thrown) {
            $who = basename(strtr($thrown::class, '\\', '/'));
            $error = $thrown->getMessage();
        }
        $now = hrtime(true);
        fwrite(STDOUT, json_encode([($now - $start) / 1e9, ($now - $began) / 1e9, $who, $error, $id]) . "\n");
        $given['pause'] > 0 && $pause($given['pause']);
    }
};

stream_set_blocking(STDIN, false);
$look = static function () use (&$isOver): void {
    $isOver = $isOver || fread(STDIN, 1) === '' && feof(STDIN);
};
if ($given['plain']) {
    $caller(0, static function (float $seconds) use ($look): void {
        usleep((int) ($seconds * 1e6));
        $look();
    });
} elseif (extension_loaded('swoole')) {
    Coroutine::set(['hook_flags' => 0, 'log_level' => 5]);
    Coroutine\run(static function () use ($given, $caller, $look, &$isOver, &$left): void {
        for ($number = 0; $number < $given['callers']; $number++) {
            Coroutine::create($caller, $number, Coroutine::sleep(...));
        }
        while (! $isOver && $left > 0) {
            Coroutine::sleep(0.02);
            $look();
        }
    });
} else {
    $pause = static function (float $seconds): void {
        $suspension = EventLoop::getSuspension();
        EventLoop::delay($seconds, static fn () => $suspension->resume());
        $suspension->suspend();
    };
    for ($number = 0; $number < $given['callers']; $number++) {
        EventLoop::queue($caller, $number, $pause);
    }
    $timer = EventLoop::repeat(0.02, static function () use ($look, &$timer, &$isOver, &$left): void {
        $look();
        $isOver || $left <= 0 ? EventLoop::cancel($timer) : null;
    });
    EventLoop::run();
}
