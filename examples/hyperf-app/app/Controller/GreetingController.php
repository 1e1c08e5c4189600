<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\HttpServer\Annotation\Controller;
use Hyperf\HttpServer\Annotation\GetMapping;
use Hyperf\HttpServer\Contract\RequestInterface;
use Reasno\GoTask\GoTask;

/**
 * The smallest thing there is: one call, one answer.
 */
#[Controller]
class GreetingController
{
    public function __construct(private readonly GoTask $task)
    {
    }

    #[GetMapping(path: '/hi')]
    public function hi(RequestInterface $request): mixed
    {
        return $this->task->call('App.Hi', $request->query('name', 'Hyperf'));
    }
}
