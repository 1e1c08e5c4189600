<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use Closure;
use Composer\InstalledVersions;
use Reasno\GoTask\Address;
use Reasno\GoTask\Console\Command\CallCommand;
use Reasno\GoTask\Console\Command\DoctorCommand;
use Reasno\GoTask\Console\Command\DumpCommand;
use Reasno\GoTask\Console\Command\GenerateCommand;
use Reasno\GoTask\Console\Command\InstallCommand;
use Reasno\GoTask\Console\Command\MethodsCommand;
use Reasno\GoTask\Console\Command\PingCommand;
use Reasno\GoTask\Console\Command\ReloadCommand;
use Reasno\GoTask\Console\Command\ServeCommand;
use Reasno\GoTask\Console\Command\StatusCommand;
use Reasno\GoTask\Console\Command\TopCommand;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Application as SymfonyApplication;

/**
 * `bin/gotask`: serve an app, call it, look at it.
 */
final class Application extends SymfonyApplication
{
    /**
     * @param null|Closure(non-empty-list<Address|string>): GoTask $connect a client of the workers at some addresses
     */
    public function __construct(?Closure $connect = null)
    {
        parent::__construct('gotask', InstalledVersions::getPrettyVersion('reasno/gotask') ?? 'unknown');
        $connect ??= Addresses::connect(...);
        $this->addCommands([
            new ServeCommand(),
            new CallCommand($connect),
            new MethodsCommand($connect),
            new StatusCommand($connect),
            new TopCommand($connect),
            new DumpCommand($connect),
            new PingCommand($connect),
            new ReloadCommand($connect),
            new DoctorCommand(),
            new GenerateCommand($connect),
            new InstallCommand(),
        ]);
    }
}
