<?php

declare(strict_types=1);

namespace App\Bench;

use Hyperf\GoTask\SocketGoTask;
use Hyperf\Server\ServerFactory;
use Psr\Container\ContainerInterface;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Hyperf\GoTaskFactory;
use RuntimeException;
use Swoole\Server;

/**
 * The same answer by each way.
 */
class BenchController
{
    private const DATA = ['Swoole is Awesome,', 'So is Python!'];

    private ?Server $server = null;

    private ?SocketGoTask $go = null;

    public function __construct(private ContainerInterface $container, private GoTask $task, private GoTaskFactory $workers)
    {
    }

    public function bare()
    {
        return self::DATA;
    }

    public function task()
    {
        $this->server ??= $this->container->get(ServerFactory::class)->getServer()->getServer();

        return $this->server->taskCo([self::DATA], 10.0)[0] ?: throw new RuntimeException('no answer');
    }

    public function gotask()
    {
        return $this->task->call('echo', self::DATA);
    }

    public function gotask1()
    {
        return $this->workers->get('workers-1')->call('echo', self::DATA);
    }

    public function gotask2()
    {
        return $this->workers->get('workers-2')->call('echo', self::DATA);
    }

    public function gotask4()
    {
        return $this->workers->get('workers-4')->call('echo', self::DATA);
    }

    public function go()
    {
        $this->go ??= $this->container->get(SocketGoTask::class);

        return $this->go->call('App.HelloInterface', self::DATA);
    }

    public function onTask(Server $server, int $id, int $from, mixed $data): mixed
    {
        return $data;
    }

    public function onFinish(): void
    {
    }
}
