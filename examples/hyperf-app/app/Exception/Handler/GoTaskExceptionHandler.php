<?php

declare(strict_types=1);

namespace App\Exception\Handler;

use Hyperf\Contract\ConfigInterface;
use Hyperf\Contract\StdoutLoggerInterface;
use Hyperf\ExceptionHandler\ExceptionHandler;
use Hyperf\HttpMessage\Stream\SwooleStream;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\RemoteError;
use Swow\Psr7\Message\ResponsePlusInterface;
use Throwable;

use function htmlspecialchars;

/**
 * Shows what went wrong in Python: with its traceback while developing; in production the log alone has it.
 */
class GoTaskExceptionHandler extends ExceptionHandler
{
    public function __construct(private readonly StdoutLoggerInterface $logger, private readonly ConfigInterface $config)
    {
    }

    public function handle(Throwable $throwable, ResponsePlusInterface $response): ResponsePlusInterface
    {
        $this->stopPropagation();
        $traceback = $throwable instanceof RemoteError ? $throwable->traceback : '';
        $this->logger->error(rtrim("{$throwable->getMessage()}\n{$traceback}"));
        $page = '<!doctype html><title>Error</title>';
        if ($this->config->get('app_env') === 'prod') {
            $page .= '<h1>Something went wrong</h1>';
        } else {
            $page .= '<h1>' . htmlspecialchars($throwable->getMessage()) . '</h1><pre>' . htmlspecialchars($traceback) . '</pre>';
        }

        // What the method raised is this application's fault; everything else may be over in a moment.
        return $response
            ->withStatus($throwable instanceof RemoteError ? 500 : 503)
            ->withHeader('Content-Type', 'text/html; charset=utf-8')
            ->withBody(new SwooleStream($page));
    }

    public function isValid(Throwable $throwable): bool
    {
        return $throwable instanceof GoTaskException;
    }
}
