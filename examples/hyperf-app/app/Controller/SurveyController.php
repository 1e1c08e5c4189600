<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\Engine\Contract\Http\Writable;
use Hyperf\Engine\Http\EventStream;
use Hyperf\HttpMessage\Exception\BadRequestHttpException;
use Hyperf\HttpServer\Annotation\Controller;
use Hyperf\HttpServer\Annotation\GetMapping;
use Hyperf\HttpServer\Contract\RequestInterface;
use Hyperf\HttpServer\Contract\ResponseInterface;
use Psr\Http\Message\ResponseInterface as PsrResponseInterface;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Progress;
use RuntimeException;

/**
 * Work that takes long: the browser is told how far it is, by server-sent events.
 */
#[Controller]
class SurveyController
{
    private const LIMIT = 2_000_000;

    public function __construct(private readonly GoTask $task)
    {
    }

    #[GetMapping(path: '/survey')]
    public function page(ResponseInterface $response): PsrResponseInterface
    {
        return $response->html(<<<'HTML'
            <!doctype html>
            <title>Counting primes</title>
            <progress id="bar" max="1" value="0"></progress> <span id="text"></span>
            <script>
                const events = new EventSource('/survey/events?below=1000000');
                events.addEventListener('progress', event => {
                    const progress = JSON.parse(event.data);
                    bar.value = progress.fraction;
                    text.textContent = progress.text;
                });
                for (const end of ['done', 'failed']) {
                    events.addEventListener(end, event => {
                        text.textContent = event.data;
                        events.close();
                    });
                }
            </script>
            HTML);
    }

    #[GetMapping(path: '/survey/events')]
    public function events(RequestInterface $request, ResponseInterface $response): void
    {
        $below = filter_var($request->query('below', 100_000), FILTER_VALIDATE_INT, ['options' => ['min_range' => 0, 'max_range' => self::LIMIT]]);
        if ($below === false) {
            throw new BadRequestHttpException('below must be a whole number from 0 to ' . self::LIMIT . '.');
        }
        $connection = $response->getConnection();
        $stream = new EventStream($connection);

        try {
            // What the callback throws ends the work in Python, too.
            $result = $this->task->call('survey', $below, 60.0, static fn (Progress $progress) => self::send($connection, 'progress', $progress) || throw new RuntimeException('The browser has gone.'));
            self::send($connection, 'done', $result);
        } catch (GoTaskException $failure) {
            self::send($connection, 'failed', $failure->getMessage());
        } catch (RuntimeException) {
            // Nobody is left to be told.
        } finally {
            $stream->end();
        }
    }

    private static function send(Writable $connection, string $event, mixed $data): bool
    {
        return $connection->write("event: {$event}\ndata: " . json_encode($data, JSON_THROW_ON_ERROR) . "\n\n");
    }
}
