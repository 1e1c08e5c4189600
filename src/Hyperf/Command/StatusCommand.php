<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\StatusCommand as ConsoleCommand;

/**
 * `gotask:status`
 */
class StatusCommand extends ConsoleCommand
{
    use NamedWorker;
}
