<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\MethodsCommand as ConsoleCommand;

/**
 * `gotask:methods`, of all workers unless one is named.
 */
class MethodsCommand extends ConsoleCommand
{
    use NamedWorker;
}
