<?php

// What PHP is told when a call ends badly: php examples/deaths/deaths.php [METHOD …], all of them unless some are named.
// For the kernel's out-of-memory killer, run it where memory is limited, as in a container with 256 MiB.

declare(strict_types=1);

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Process\WorkerProcess;

$worker = new WorkerProcess(__DIR__ . '/app.py', workers: 1);
$worker->start();
$task = new Client($worker->address());

$calls = [
    'a segmentation fault' => ['Deaths.segfault'],
    'os._exit(3)' => ['Deaths.leave', 3],
    'sys.exit(3)' => ['Deaths.exit', 3],
    'endless recursion' => ['Deaths.recurse'],
    'an exception whose __str__ raises' => ['Deaths.raise_unprintable'],
    'a call whose time is over' => ['Deaths.sleep', 60.0, 0.2],
    'one that does not heed it' => ['Deaths.hold_the_interpreter', null, 0.2],
    'more memory than there is' => ['Deaths.allocate', 400],
];
$only = array_slice($argv, 1);
foreach ($calls as $what => $call) {
    if ($only !== [] && ! in_array($call[0], $only, true)) {
        continue;
    }
    echo "== {$what}: {$call[0]}\n";
    try {
        echo json_encode($task->call(...$call)), "\n\n";
    } catch (CallFailed $failure) {
        echo $failure::class, ': ', $failure->getMessage(), "\n";
        foreach (get_object_vars($failure) as $name => $value) {
            // The last two are Python's text, which is the previous exception, and what the other properties are made of.
            if (! in_array($name, ['stack', 'traceback', 'data'], true)) {
                echo "  {$name}: ", json_encode($value), "\n";
            }
        }
        $python = $failure->getPrevious();
        if ($python !== null) {
            echo '  previous: ', $python::class, " at {$python->getFile()}:{$python->getLine()}\n";
            echo preg_replace('/^/m', '    ', rtrim($python->getMessage())), "\n";
        }
        echo "\n";
    }
}
