<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\ReloadCommand as ConsoleCommand;
use Reasno\GoTask\Console\Options;

/**
 * `gotask:reload`, of all workers unless one is named.
 */
class ReloadCommand extends ConsoleCommand
{
    use NamedWorker;

    protected function timeout(Options $options): float
    {
        return 2 * $this->worker($options)->startTimeout;
    }
}
