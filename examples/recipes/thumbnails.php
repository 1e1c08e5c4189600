<?php

declare(strict_types=1);

// Thumbnails of all pictures of a folder, many at a time: php examples/recipes/thumbnails.php [FOLDER [TARGET]]

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Args;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Process\WorkerProcess;

$folder = $argv[1] ?? __DIR__ . '/samples';
$target = $argv[2] ?? null;
$worker = new WorkerProcess(__DIR__ . '/thumbnails.py');
$worker->start();
$task = new Client($worker->address());

// docs: folder
// Files are read as workers become free, so memory holds a few of them.
$pictures = static function (string $folder): Generator {
    foreach (glob("{$folder}/*.{jpg,jpeg,png,webp}", GLOB_BRACE) ?: [] as $file) {
        yield basename($file) => ['Thumbnails.Make', new Args(new Bytes((string) file_get_contents($file)), sizes: [320, 96])];
    }
};

$made = $task->parallel($pictures($folder), concurrency: 8, throw: false);
// docs: end

foreach ($made as $name => $thumbnails) {
    if ($thumbnails instanceof RemoteError) {
        // docs: refused
        // The sender's fault has a class of its own in Python. Anything else is ours, and is thrown.
        echo $name, ': ', $thumbnails->type === 'thumbnails.BadImage' ? $thumbnails->text : throw $thumbnails, "\n";
        // docs: end
        continue;
    }
    foreach ((array) $thumbnails as $size => $webp) {
        assert(is_string($webp));
        [$width, $height] = getimagesizefromstring($webp) ?: [0, 0];
        printf("%s: %d × %d for %d, %d bytes\n", $name, $width, $height, $size, strlen($webp));
        if ($target !== null) {
            file_put_contents("{$target}/{$name}-{$size}.webp", $webp);
        }
    }
}
