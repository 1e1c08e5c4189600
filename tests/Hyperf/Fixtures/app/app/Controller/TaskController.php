<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\Context\Context;
use Hyperf\HttpServer\Contract\RequestInterface;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Hyperf\Annotation\Worker;
use Reasno\GoTask\Hyperf\GoTaskFactory;
use Reasno\GoTask\Hyperf\Health;
use RuntimeException;

class TaskController
{
    #[Worker('ml')]
    protected GoTask $ml;

    public function __construct(private GoTask $task, private GoTaskFactory $workers, private Health $health)
    {
    }

    public function bare()
    {
        return ['hello' => 'bare'];
    }

    public function index()
    {
        return $this->task->call('App.Hi', ['Swoole is Awesome,', 'So is Python!']);
    }

    public function hi(RequestInterface $request)
    {
        return $this->workers->get($request->query('worker', 'default'))->call('App.Hi', $request->query('name'));
    }

    public function reason()
    {
        try {
            return $this->task->call('App.Hi', 'x');
        } catch (GoTaskException $failure) {
            return ['class' => $failure::class, 'message' => $failure->getMessage()];
        }
    }

    public function fail(RequestInterface $request)
    {
        try {
            return $this->task->call('App.Hi', 'x');
        } catch (GoTaskException $failure) {
            return $request->query('caught') ? ['caught' => true] : throw new RuntimeException('no greeting', 0, $failure);
        }
    }

    public function back(RequestInterface $request)
    {
        Context::set('name', $request->query('name'));

        return $this->task->call('App.Back');
    }

    public function workers()
    {
        return [
            'attribute' => $this->ml->call('GoTask.Status')['addresses'][0],
            'factory' => $this->workers->get('ml') === $this->ml,
            'default' => $this->workers->get() === $this->task,
            'health' => $this->health->all(),
        ];
    }
}
