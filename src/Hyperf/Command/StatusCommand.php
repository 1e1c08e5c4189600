<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\StatusCommand as ConsoleCommand;

/**
 * `gotask:status`, of all workers unless one is named; as JSON it is a map by name where there are several.
 */
class StatusCommand extends ConsoleCommand
{
    use NamedWorker;
}
