<?php

declare(strict_types=1);

use App\Python\Address;
use App\Python\Functions;
use App\Python\Item;
use App\Python\Orders;
use App\Python\Point;
use App\Python\Priority;
use App\Python\Status;
use Composer\Autoload\ClassLoader;
use Reasno\GoTask\Client;
use Reasno\GoTask\Process\WorkerProcess;

/** @var ClassLoader $loader */
$loader = require __DIR__ . '/../../vendor/autoload.php';
$loader->addPsr4('App\\', __DIR__ . '/app');

$worker = new WorkerProcess(__DIR__ . '/app.py', workers: 1);
$worker->start();
$task = new Client($worker->address());

// A container does this wherever a class asks for one.
$orders = new Orders($task);

$items = [new Item('A1', '9.90', quantity: 2, tags: ['red']), new Item('B2', '0.10')];
echo 'total ', $orders->total($items, discount: '1.00'), "\n";

$first = $orders->place($items, new Address('1 Main Street', 'Ulm'));
$order = $orders->place([$items[1]], new Address('2 Side Street', 'Bonn', note: 'ring twice'), Priority::HIGH, replaces: $first);
echo "{$order->status->name} {$order->priority->name}, {$order->items[0]->sku}, {$order->address->note}, instead of {$order->replaces?->address->city}\n";
echo 'found in ', $orders->find($first->id, [$order, $first])?->address->city, "\n";
foreach ($orders->byCity([$first, $order, $first]) as $city => $there) {
    echo "{$city} ", count($there), ' since ', $there[0]->placedAt->format('Y') > '2000' ? 'this century' : 'ever', "\n";
}

echo $orders->advance(Status::OPEN)->name, ' ', $orders->label($order, encoding: 'ascii'), "\n";
echo 'due ', $orders->due('2026-01-31', within: 3600)->format(DATE_ATOM), "\n";
echo 'age ', $orders->age(new DateTimeImmutable('2026-01-01T00:00:00Z'), new DateTimeImmutable('2026-01-01T00:01:30Z')), " s\n";
echo 'way ', implode(' ', array_map(static fn (Point $point): string => "{$point->latitude}/{$point->longitude}", $orders->way(new Point(48.4, 9.98), new Point(50.73, 7.1)))), "\n";
echo 'box ', implode(' × ', $orders->box([[1, 2, 3], [4, 1, 1]])), "\n";
echo json_encode($orders->search('lamp', limit: 3, colour: 'red', stock: true)), ' ', $orders->archive(), "\n";
foreach ($orders->rows(3) as $item) {
    echo $item->sku, ' ';
}
foreach ($orders->watch() as $status) {
    echo $status->name, ' ';
}
$orders->clear();
echo (new Functions($task))->exchangeRate('USD', '2026-01-31'), "\n";
