<?php

declare(strict_types=1);

use Reasno\GoTask\Client;

/*
 * Calls the peer at the address given, then once more on a new connection when no file descriptor is left, and prints the class
 * of what was thrown. Started with few of them allowed; in a coroutine when `swoole` is given, too.
 */
require dirname(__DIR__, 3) . '/vendor/autoload.php';

$main = static function () use ($argv): void {
    $client = new Client($argv[1] ?? '');
    $client->call('Echo');
    $client->close();
    $taken = [];
    while (($file = @fopen('/dev/null', 'r')) !== false) {
        $taken[] = $file;
    }
    $thrown = null;

    try {
        $client->call('Echo');
    } catch (Throwable $thrown) {
    }
    $taken = [];
    echo $thrown === null ? 'nothing' : $thrown::class;
};

if (($argv[2] ?? '') === 'swoole') {
    Swoole\Coroutine\run($main);
} else {
    $main();
}
