<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\CallCommand as ConsoleCommand;

/**
 * `gotask:call`
 */
class CallCommand extends ConsoleCommand
{
    use NamedWorker;
}
