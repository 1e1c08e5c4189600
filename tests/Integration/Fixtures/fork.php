<?php

declare(strict_types=1);

/*
 * A program that forks while it has a connection and a call under way: fork.php ADDRESS (blocking | swoole).
 * Child and parent each say as JSON what became of their calls; the child ends in the ordinary way before the parent goes on.
 */

use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\GoTaskException;

use function Swoole\Coroutine\run;

require dirname(__DIR__, 3) . '/vendor/autoload.php';

$within = $argv[2] === 'swoole' ? static fn (Closure $body) => run($body) : static fn (Closure $body) => $body();
$client = new Client($argv[1]);
$future = null;
$within(static function () use ($client, &$future): void {
    $client->call('Echo');
    $future = $client->callAsync('Late:0.2', 'parent');
});

$pid = pcntl_fork();
$told = [];
if ($pid === 0) {
    $within(static function () use ($client, $future, &$told): void {
        $told[] = $client->call('Echo', 'child');
        $told[] = $client->call('Connections');

        try {
            $told[] = $future->await();
        } catch (GoTaskException $exception) {
            $told[] = $exception->getMessage();
        }
    });
    echo json_encode($told), "\n";

    return;
}
pcntl_waitpid($pid, $status);
$within(static function () use ($client, $future, &$told): void {
    $told[] = $future->await();
    $told[] = $client->call('Connections:1');
    $told[] = $client->call('Echo', 'on the same connection');
    $told[] = $client->call('Connections');
});
echo json_encode($told), "\n";
