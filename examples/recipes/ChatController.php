<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\Engine\Http\EventStream;
use Hyperf\HttpServer\Annotation\Controller;
use Hyperf\HttpServer\Annotation\GetMapping;
use Hyperf\HttpServer\Contract\RequestInterface;
use Hyperf\HttpServer\Contract\ResponseInterface;
use Reasno\GoTask\Args;
use Reasno\GoTask\GoTask;

/**
 * The stream of chat.html in Hyperf. With chat.py and chat.txt in gotask/, and `import chat` in gotask/app.py, it runs as it is.
 */
#[Controller]
class ChatController
{
    public function __construct(private readonly GoTask $task)
    {
    }

    // docs: hyperf
    #[GetMapping(path: '/chat/tokens')]
    public function tokens(RequestInterface $request, ResponseInterface $response): void
    {
        $connection = $response->getConnection();
        $stream = new EventStream($connection);
        $most = filter_var($request->query('most'), FILTER_VALIDATE_INT, ['options' => ['default' => 120, 'min_range' => 1, 'max_range' => 1000]]);
        try {
            foreach ($this->task->stream('Chat.Answer', new Args($request->query('question', ''), most: $most)) as $token) {
                if (! $connection->write("event: token\ndata: " . json_encode($token, JSON_THROW_ON_ERROR) . "\n\n")) {
                    return;     // The browser has gone: to leave the loop ends the answer in Python.
                }
            }
            $connection->write("event: done\ndata: null\n\n");
        } finally {
            $stream->end();
        }
    }
    // docs: end
}
