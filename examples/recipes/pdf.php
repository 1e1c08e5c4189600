<?php

declare(strict_types=1);

// The text of a PDF, page by page: php examples/recipes/pdf.php [FILE [PASSWORD]]

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Args;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Process\WorkerProcess;

$file = $argv[1] ?? __DIR__ . '/samples/letter.pdf';
$password = $argv[2] ?? '';
$worker = new WorkerProcess(__DIR__ . '/pdf.py', workers: 1);
$worker->start();
$task = new Client($worker->address());

// docs: pages
$pdf = new Bytes((string) file_get_contents($file));
try {
    /** @var array{number: int, of: int, text: string} $page */
    foreach ($task->stream('Pdf.Pages', new Args($pdf, password: $password)) as $page) {
        echo "{$page['number']}/{$page['of']}: {$page['text']}\n";
    }
} catch (RemoteError $error) {
    echo match ($error->data['why'] ?? null) {
        'password' => "Which password opens it?\n",
        'broken' => "This file can't be read.\n",
        default => throw $error,
    };
}
// docs: end
