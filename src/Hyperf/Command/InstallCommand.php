<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\InstallCommand as ConsoleCommand;
use Reasno\GoTask\Hyperf\Config\BasePath;

/**
 * `gotask:install`.
 */
class InstallCommand extends ConsoleCommand
{
    protected function configure(): void
    {
        parent::configure();
        $this->setName('gotask:install');
    }

    protected function directory(): string
    {
        return BasePath::get();
    }
}
