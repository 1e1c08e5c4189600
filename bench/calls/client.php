<?php

declare(strict_types=1);

// client.php CALLS: so many calls by the client, one at a time, to a peer in a process of its own that answers at once.

use Reasno\GoTask\Client;

require __DIR__ . '/../../vendor/autoload.php';

$path = tempnam(sys_get_temp_dir(), 'gotask');
assert(is_string($path));
unlink($path);
$listener = stream_socket_server("unix://{$path}");
assert($listener !== false);
$child = pcntl_fork();
if ($child === 0) {
    $connection = stream_socket_accept($listener, 60.0);
    while ($connection !== false && ($data = fread($connection, 65_536)) !== false && $data !== '') {
        fwrite($connection, $data);
    }
    posix_kill(posix_getpid(), SIGKILL);
}
$client = new Client("unix://{$path}", maxConnections: 1);
$payload = ['name' => 'Reasno', 'values' => [1, 2.5, true, null], 'text' => str_repeat('x', 40)];
for ($call = 0; $call < (int) $argv[1]; $call++) {
    $client->call('App.Hi', $payload);
}
unlink($path);
$client->close();
pcntl_waitpid($child, $status);
