<?php

declare(strict_types=1);

namespace App\Service;

use Hyperf\Context\Context;
use Hyperf\HttpServer\Contract\RequestInterface;
use Reasno\GoTask\GoTask;

/**
 * What Python calls back for. The client that it has injected is the one that has it as a service.
 */
class RequestService
{
    public function __construct(private RequestInterface $request, private GoTask $task)
    {
    }

    public function name(): array
    {
        return [Context::get('name'), $this->request->query('name'), $this->task->call('App.Hi', $this->request->query('name'))['hello']];
    }
}
