<?php

declare(strict_types=1);

/*
 * A program that forks while it has a fast path: fork-fast.php ADDRESS (blocking | swoole).
 * Child and parent each say as JSON what their calls returned; the last is what the peer has seen of the parent's on its fast path.
 */

use Reasno\GoTask\Client;

use function Swoole\Coroutine\run;

require dirname(__DIR__, 3) . '/vendor/autoload.php';

$within = $argv[2] === 'swoole' ? static fn (Closure $body) => run($body) : static fn (Closure $body) => $body();
$client = new Client($argv[1], timeout: 5.0);
$fast = static function () use ($client): int {
    $seen = $client->call('Seen', 'Echo');

    return is_array($seen) ? $seen[1] : 0;
};
$before = 0;
$within(static function () use ($client, $fast, &$before): void {
    $limit = hrtime(true) + 5e9;
    do {
        $client->call('Echo');
        $before = $fast();
    } while ($before === 0 && hrtime(true) < $limit);
});
$pid = pcntl_fork();
$told = [];
if ($pid === 0) {
    $within(static function () use ($client, &$told): void {
        $told[] = $client->call('Echo', 'child');
    });
    echo json_encode($told), "\n";

    return;
}
pcntl_waitpid($pid, $status);
$within(static function () use ($client, $fast, $before, &$told): void {
    $told[] = $client->call('Echo', 'parent');
    $told[] = $fast() - $before;
});
echo json_encode($told), "\n";
