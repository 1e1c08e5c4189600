<?php

declare(strict_types=1);

// The requests of the pages. serve.php starts PHP's web server with it.

require __DIR__ . '/../../vendor/autoload.php';

use Reasno\GoTask\Args;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Progress;

final class BrowserHasGone extends RuntimeException
{
}

$task = new Client((string) getenv('GOTASK_ADDRESS'));
$text = static fn (mixed $value): string => is_string($value) ? $value : '';
$query = static fn (string $name): string => $text($_GET[$name] ?? '');

// What the job packs, and where to. What a request says is never a path.
$folder = dirname(__DIR__, 2) . '/vendor';
$target = static fn (string $id): string => sys_get_temp_dir() . "/gotask-recipes-{$id}.zip";

// docs: events
// Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
$send = static function (string $event, mixed $data): void {
    echo "event: {$event}\ndata: ", json_encode($data, JSON_THROW_ON_ERROR), "\n\n";
    flush();
    if (connection_aborted() !== 0) {
        throw new BrowserHasGone();       // which ends the call, and what runs in Python
    }
};
$events = static function (Closure $body) use ($send): void {
    header('Content-Type: text/event-stream');
    header('Cache-Control: no-cache');
    header('X-Accel-Buffering: no');      // nginx is to pass on each event at once
    while (ob_get_level() > 0) {          // and so is PHP, where php.ini has output_buffering
        ob_end_clean();
    }
    ignore_user_abort(true);              // else PHP ends this script without a word to Python

    try {
        $send('done', $body());
    } catch (GoTaskException $failure) {
        $send('failed', $failure->getMessage());
    } catch (BrowserHasGone) {
        // Nobody is left to be told.
    }
};
// docs: end

switch ($text($_SERVER['REQUEST_METHOD']) . ' ' . parse_url($text($_SERVER['REQUEST_URI']), PHP_URL_PATH)) {
    case 'GET /chat':
        readfile(__DIR__ . '/chat.html');
        break;
    case 'GET /chat/tokens':
        // docs: tokens
        $events(static function () use ($task, $send, $query): void {
            $question = new Args($query('question'), most: min(1000, (int) $query('most') ?: 120));
            foreach ($task->stream('Chat.Answer', $question) as $token) {
                $send('token', $token);
            }
        });
        // docs: end
        break;
    case 'GET /archive':
        readfile(__DIR__ . '/archive.html');
        break;
    case 'GET /archive/events':
        // docs: progress
        // The browser waits for the job: it is told how far it is, and to leave the page ends the job.
        $events(static fn (): mixed => $task->call(
            'archive',
            new Args($folder, $target(bin2hex(random_bytes(8)))),
            timeout: 600.0,
            onProgress: static fn (Progress $progress) => $send('progress', $progress),
        ));
        // docs: end
        break;
    case 'POST /archive/jobs':
        // docs: job
        // Nobody waits: the answer is the job's id, which the browser asks for later, from another page or after hours.
        $id = bin2hex(random_bytes(8));
        $task->notify('Jobs.Archive', new Args($id, $folder, $target($id)), key: $id);
        echo json_encode(['id' => $id]);
        break;
    case 'GET /archive/jobs':
        echo json_encode($task->call('Jobs.State', $query('id'), key: $query('id')));
        break;
    case 'DELETE /archive/jobs':
        $task->call('Jobs.Cancel', $query('id'), key: $query('id'));
        // docs: end
        break;
    default:
        http_response_code(404);
}
