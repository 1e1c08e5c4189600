<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\GenerateCommand as ConsoleCommand;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Hyperf\Config\BasePath;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\GoTaskFactory;

/**
 * `gotask:generate`, of one worker. The classes of any but the default one have a namespace and a folder of their own below.
 */
class GenerateCommand extends ConsoleCommand
{
    use NamedWorker {
        configure as private configureWorker;
    }

    protected function configure(): void
    {
        $this->configureWorker();
        // Where GOTASK_CONSOLE=private, one is started as it is configured.
        $this->getDefinition()->setArguments();
    }

    protected function project(): string
    {
        return BasePath::get();
    }

    protected function named(Options $options): ?array
    {
        $name = $this->worker($options)->name;

        return $name === Workers::DEFAULT ? null : [GoTaskFactory::class, $name];
    }
}
