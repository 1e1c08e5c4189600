<?php

declare(strict_types=1);

/*
 * A program that forks while a call through TLS is under way: fork-tls.php ADDRESS CA KEY (exit | use | drop | fatal) [swoole].
 * The child ends as it is told to before the parent says as JSON what became of its calls.
 */

use Reasno\GoTask\Client;
use Reasno\GoTask\Tls;

use function Swoole\Coroutine\run;

require dirname(__DIR__, 3) . '/vendor/autoload.php';

[, $address, $ca, $key, $end] = $argv;
$within = isset($argv[5]) ? static fn (Closure $body) => run($body) : static fn (Closure $body) => $body();
$client = new Client($address, key: $key, tls: new Tls($ca));
$future = null;
$within(static function () use ($client, &$future): void {
    $client->call('App.hi', 'x');
    $future = $client->callAsync('App.sleep', 0.3);
});
$pid = pcntl_fork();
if ($pid === 0) {
    match ($end) {
        'use' => $within(static fn () => $client->call('App.hi', 'child')),
        'drop' => $future = $client = null,
        'fatal' => (static function (): void {
            ini_set('display_errors', '0');
            ini_set('log_errors', '0');
            trigger_error('as told', E_USER_ERROR);
        })(),
        default => null,
    };

    exit(0);
}
pcntl_waitpid($pid, $status);
$within(static function () use ($client, &$future): void {
    try {
        $told = [$future?->await()];
    } catch (Throwable $lost) {
        $told = [$lost::class];
    }
    $told[] = $client?->call('App.hi', 'x');
    echo json_encode($told);
});
