<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\TopCommand as ConsoleCommand;

/**
 * `gotask:top`, of all workers unless one is named, those that are deployed apart too.
 */
class TopCommand extends ConsoleCommand
{
    use NamedWorker;
}
