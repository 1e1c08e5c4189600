<?php

declare(strict_types=1);

// A report that outlives all that takes part. It needs celery[redis] (Debian: python3-celery python3-redis) and a Redis. In three
// terminals in which CELERY_BROKER_URL=redis://127.0.0.1/0 is exported:
//   bin/gotask serve examples/celery/app.py --address unix:///tmp/gotask.sock
//   GOTASK_APP=examples/celery/app.py PYTHONPATH=python python3 -m celery -A gotask.celery worker
//   php examples/celery/report.php [ADDRESS]

use Reasno\GoTask\Client;

require dirname(__DIR__, 2) . '/vendor/autoload.php';

$task = new Client($argv[1] ?? 'unix:///tmp/gotask.sock');

// docs: durable
$id = $task->notify('Report.build', 2026, durable: true);   // Celery's broker has it: keep the id
// docs: end

// docs: outcome
do {
    usleep(200_000);
    $outcome = $task->outcome($id);                          // in any process, today or tomorrow
    echo $outcome->state, ' ', $outcome->progress?->text, "\n";
} while (in_array($outcome->state, ['waiting', 'running'], true));

echo json_encode($outcome->result()), "\n";                  // what call() returns, or the exception that it throws
// docs: end
