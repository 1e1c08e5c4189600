<?php

// A client that calls all the time until its standard input ends; then it says how many calls there were and what failed.
// Each answer is the version of the code that gave it: of one client they only ever go up.

declare(strict_types=1);

require __DIR__ . '/../../../../vendor/autoload.php';

use Reasno\GoTask\Client;

$client = new Client($argv[1]);
$methods = [['App.version'], ['App.slow', 0.002], ['App.wait', 0.002], ['Own.version']];
stream_set_blocking(STDIN, false);
$calls = 0;
$failures = [];
$version = 0;
echo "calling\n";
while (! feof(STDIN)) {
    fread(STDIN, 1);
    $batch = [];
    for ($i = 0; $i < 20; $i++) {
        $batch[] = $methods[($calls + $i) % count($methods)];
    }
    $oldest = PHP_INT_MAX;
    foreach ($client->parallel($batch, throw: false) as $result) {
        if ($result instanceof Throwable) {
            $failures[] = $result->getMessage();
        } elseif ((int) $result < $version) {
            $failures[] = "version {$result} answered a call that was made after version {$version} had answered one";
        } else {
            $oldest = min($oldest, (int) $result);
        }
    }
    $version = $oldest === PHP_INT_MAX ? $version : $oldest;
    $calls += count($batch);
}
echo json_encode(['calls' => $calls, 'failures' => $failures, 'version' => $version]), "\n";
