<?php

declare(strict_types=1);

/*
 * Calls a server that answers nonsense, one at a time and several together, and says as JSON what other than a result or an
 * exception of the client came of it.
 *
 *     php fuzz.php ADDRESS CASES SECONDS TIMEOUT
 */

use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\GoTaskException;

require __DIR__ . '/../../../vendor/autoload.php';

[, $address, $cases, $seconds, $timeout] = $argv;

set_error_handler(static function (int $level, string $message, string $file, int $line): never {
    throw new ErrorException($message, 0, $level, $file, $line);
});

$client = new Client($address, timeout: (float) $timeout, connectTimeout: (float) $timeout);
$findings = [];
$slowest = 0.0;
$until = microtime(true) + (float) $seconds;
for ($done = 0; $done < (int) $cases && microtime(true) < $until; $done++) {
    $began = microtime(true);

    try {
        if ($done % 4 !== 0) {
            $client->call('App.echo', [$done, str_repeat('x', $done % 50), ['a' => null]]);
        } else {
            $calls = array_fill(0, 4, ['App.echo', [$done]]);
            $results = $client->parallel($calls, throw: false);
            if (array_keys($results) !== array_keys($calls)) {
                $findings[] = "call {$done}: parallel() returned " . count($results) . ' outcomes of 4 calls';
            }
        }
    } catch (GoTaskException) {
    } catch (Throwable $throwable) {
        $findings[] = "call {$done}: {$throwable}";
    }
    $slowest = max($slowest, microtime(true) - $began);
}
echo json_encode(['cases' => $done, 'findings' => $findings, 'slowest' => $slowest], JSON_INVALID_UTF8_SUBSTITUTE), "\n";
