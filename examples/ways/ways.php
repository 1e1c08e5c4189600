<?php

declare(strict_types=1);

// Every way of calling a method, beside call() itself. Read it from top to bottom.

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Process\WorkerProcess;
use Reasno\GoTask\Progress;

final class Users
{
    public function name(int $id): string
    {
        return [7 => 'Jo'][$id] ?? 'nobody';
    }
}

final class Texts
{
    public function get(string $key): string
    {
        return ['greeting' => 'Good morning'][$key] ?? $key;
    }
}

$show = static fn (string $what, mixed $value) => printf("%-10s %s\n", $what, json_encode($value));

$worker = new WorkerProcess(__DIR__ . '/app.py', workers: 2);
$worker->start();
$task = new Client($worker->address(), services: ['Users' => new Users(), 'Texts' => new Texts()]);

// ---- a stream: the generator in Python is closed when the loop is left ----------------------------------------------------

$seen = [];
foreach ($task->stream('Ways.Countdown', 1_000_000) as $number) {
    $seen[] = $number;
    if (count($seen) === 3) {
        break;
    }
}
$show('stream', $seen);
$show('words', iterator_to_array($task->stream('Ways.Words', 'one after the other'), false));

// ---- progress ------------------------------------------------------------------------------------------------------------

$last = null;
$result = $task->call('Ways.Convert', 10, onProgress: function (Progress $progress) use (&$last): void {
    $last = $progress;
});
$show('progress', [$result, $last?->fraction, $last?->text]);

// ---- an input: read in Python as it is needed, however long it is -----------------------------------------------------------

$rows = (static function (): Generator {
    for ($row = 1; $row <= 10_000; $row++) {
        yield ['id' => $row, 'amount' => $row / 2];
    }
})();
$show('input', $task->call('Ways.Total', 'amount', input: $rows));

// ---- results as they complete ---------------------------------------------------------------------------------------------

/** @var array<string, mixed> $completed */
$completed = [];
foreach ($task->completed(['a' => ['Ways.Convert', 40], 'b' => ['Ways.Convert', 1]]) as $name => $result) {
    $completed[$name] = $result;
}
$show('completed', $completed);

// ---- calls back to PHP, from an async method both at the same time --------------------------------------------------------

$show('call back', $task->call('Ways.Greet', 7));

// ---- a key: the same process each time, for what it keeps --------------------------------------------------------------------

$processes = array_map(static fn () => $task->call('Ways.Process', key: 'user 7'), range(1, 5));
$show('key', count(array_unique($processes, SORT_REGULAR)) . ' process');

// ---- types -----------------------------------------------------------------------------------------------------------------

$lines = [['name' => 'pen', 'price' => '1.20', 'ordered' => '2026-01-31'], ['name' => 'ink', 'price' => 12, 'ordered' => '2026-02-01']];
$show('types', $task->call('Ways.Order', $lines));

try {
    $task->call('Ways.Order', [['name' => 'pen', 'price' => 'cheap', 'ordered' => '2026-01-31']]);
} catch (InvalidArguments $refused) {
    $show('refused', strtok($refused->getMessage(), "\n"));
}
