<?php

declare(strict_types=1);

// A table from a CSV file, and a spreadsheet of it: php examples/recipes/report.php [FILE.csv [FILE.xlsx]]

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Client;
use Reasno\GoTask\Process\WorkerProcess;

$file = $argv[1] ?? __DIR__ . '/samples/sales.csv';
$worker = new WorkerProcess(__DIR__ . '/report.py', workers: 1);
$worker->start();
$task = new Client($worker->address());

// docs: sales
// A file that Python sees, too, goes by its path: $task->call('Report.Sales', $file)
/** @var array{rows: int, regions: array<string, float>, table: list<array{region: string, month: string, quantity: int, turnover: float}>} $sales */
$sales = $task->call('Report.Sales', input: new SplFileObject($file));
foreach ($sales['table'] as $row) {
    printf("%-6s %s %5d %9.2f\n", $row['region'], $row['month'], $row['quantity'], $row['turnover']);
}
// docs: end
printf("%d rows, %s\n", $sales['rows'], json_encode($sales['regions'], JSON_PRESERVE_ZERO_FRACTION));

// docs: workbook
$xlsx = $task->call('Report.Workbook', $sales['table']);       // or rows of a database
// docs: end
assert(is_string($xlsx));
printf("a workbook of %d bytes\n", strlen($xlsx));
if (isset($argv[2])) {
    file_put_contents($argv[2], $xlsx);
}
