<?php

declare(strict_types=1);

// The configuration as it is published; further workers of other numbers of processes, if they are asked for, beside the default one.
$workers = require BASE_PATH . '/vendor/reasno/gotask/publish/gotask.php';
foreach (array_filter(explode(',', (string) getenv('BENCH_WORKERS'))) as $number) {
    $address = getenv('GOTASK_ADDRESS') . "-{$number}";
    $workers["workers-{$number}"] = ['address' => $address, 'workers' => (int) $number] + $workers['default'];
}

return $workers;
