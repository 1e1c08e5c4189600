<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\CompileCommand as ConsoleCommand;
use Reasno\GoTask\Hyperf\Config\BasePath;

/**
 * `gotask:compile`.
 */
class CompileCommand extends ConsoleCommand
{
    protected function configure(): void
    {
        parent::configure();
        $this->setName('gotask:compile');
    }

    protected function directory(): string
    {
        return BasePath::get();
    }
}
