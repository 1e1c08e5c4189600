<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\HttpServer\Annotation\Controller;
use Hyperf\HttpServer\Annotation\GetMapping;
use Reasno\GoTask\GoTask;

/**
 * An exception in Python is an exception in PHP; App\Exception\Handler\GoTaskExceptionHandler shows it.
 */
#[Controller]
class ErrorController
{
    public function __construct(private readonly GoTask $task)
    {
    }

    #[GetMapping(path: '/error')]
    public function fail(): mixed
    {
        return $this->task->call('App.Fail', 'on purpose');
    }
}
