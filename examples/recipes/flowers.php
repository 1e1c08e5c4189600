<?php

declare(strict_types=1);

// A model that was trained when the worker started: php examples/recipes/flowers.php

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Process\WorkerProcess;

$worker = new WorkerProcess(__DIR__ . '/flowers.py', workers: 1);
$worker->start();
$task = new Client($worker->address());

// docs: guess
$flower = ['sepal_length' => 5.1, 'sepal_width' => '3.5', 'petal_length' => 1.4, 'petal_width' => 0.2];    // "3.5" as a form sends it
/** @var array{species: string, probability: float, model: string} $guess */
$guess = $task->call('Flowers.Guess', $flower);
printf("%s, %d %% sure, model %s\n", $guess['species'], 100 * $guess['probability'], $guess['model']);

$flowers = [$flower, ['petal_length' => 6.0, 'petal_width' => 2.2] + $flower];
/** @var list<array{species: string}> $guesses */
$guesses = $task->call('Flowers.GuessAll', $flowers);
echo implode(', ', array_column($guesses, 'species')), "\n";

try {
    $task->call('Flowers.Guess', ['petal_width' => 'wide'] + $flower);
} catch (InvalidArguments $refused) {
    echo $refused->getArgument(), ': ', $refused->getMessage(), "\n";     // flower.petal_width
}
// docs: end
