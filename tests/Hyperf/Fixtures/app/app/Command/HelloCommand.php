<?php

declare(strict_types=1);

namespace App\Command;

use Hyperf\Command\Annotation\Command;
use Hyperf\Command\Command as HyperfCommand;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Hyperf\Annotation\PrivateWorker;

use function count;
use function Hyperf\Coroutine\parallel;

#[Command]
#[PrivateWorker]
class HelloCommand extends HyperfCommand
{
    protected ?string $name = 'hello';

    public function __construct(private GoTask $task)
    {
        parent::__construct();
    }

    public function handle(): void
    {
        $brokers = parallel(array_fill(0, 5, fn () => $this->task->call('GoTask.Status')['pid']));
        $this->line(json_encode(['brokers' => count(array_unique($brokers)), 'hello' => $this->task->call('App.Hi', 'Jo')['hello']]));
    }
}
