<?php

declare(strict_types=1);

// Orders in MongoDB, read by Python: MONGODB_URI=mongodb://127.0.0.1/shop php examples/mongodb/mongodb.php

use Reasno\GoTask\Client;
use Reasno\GoTask\Process\WorkerProcess;

require __DIR__ . '/../../vendor/autoload.php';

$worker = new WorkerProcess(__DIR__ . '/app.py', workers: 2);
$worker->start();
$task = new Client($worker->address());
$task->call('Orders.Clear');

// docs: calls
/** @var list<string> $ids */
$ids = $task->call('Orders.Add', [
    ['customer' => 'Jo', 'number' => 2, 'price' => 2.5, 'pieces' => 4],
    ['customer' => 'Jo', 'number' => 1, 'price' => 10.0, 'pieces' => 1],
    ['customer' => 'Al', 'number' => 3, 'price' => 1.0, 'pieces' => 1],
]);
$order = $task->call('Orders.Get', $ids[0]);        // ['_id' => '5f…', 'customer' => 'Jo', …], or null

/** @var array{number: int, price: float, pieces: int} $order */
foreach ($task->stream('Orders.Of', 'Jo') as $order) {
    echo "{$order['number']}: {$order['pieces']} × {$order['price']}\n";
}
/** @var float $worth */
$worth = $task->call('Orders.Worth', 'Jo');
echo "worth {$worth}\n";
// docs: end

echo $task->call('Orders.Get', $ids[0]) === ['_id' => $ids[0], 'customer' => 'Jo', 'number' => 2, 'price' => 2.5, 'pieces' => 4] ? 'found' : 'lost', "\n";
echo json_encode($task->call('Orders.Get', str_repeat('0', 24))), "\n";
$task->call('Orders.Clear');
$task->close();
$worker->stop();
