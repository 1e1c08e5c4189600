<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\DumpCommand as ConsoleCommand;

/**
 * `gotask:dump`, of all workers unless one is named.
 */
class DumpCommand extends ConsoleCommand
{
    use NamedWorker;
}
