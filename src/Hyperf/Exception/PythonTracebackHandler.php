<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Exception;

use Hyperf\Contract\StdoutLoggerInterface;
use Hyperf\ExceptionHandler\ExceptionHandler;
use Psr\Http\Message\ResponseInterface;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Exception\RemoteError;
use Throwable;

/**
 * Logs Python's traceback of an exception that nobody has caught, below what the application's own handlers have logged of it: they
 * show PHP's frames alone. It comes last and answers nothing. A handler that stops the propagation has dealt with the exception, and
 * nothing is logged here. Nor is the stack of a call that was interrupted, or whose process died: the worker's log has it.
 */
class PythonTracebackHandler extends ExceptionHandler
{
    public function __construct(protected StdoutLoggerInterface $logger)
    {
    }

    public function handle(Throwable $throwable, ResponseInterface $response)
    {
        for ($cause = $throwable; $cause !== null; $cause = $cause->getPrevious()) {
            if ($cause instanceof RemoteError && $cause->traceback !== '') {
                $this->logger->error(Terminal::text("Python, in {$cause->method}:\n" . rtrim($cause->traceback)));
            }
        }

        return $response;
    }

    public function isValid(Throwable $throwable): bool
    {
        return true;
    }
}
