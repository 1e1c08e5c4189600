<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Reasno\GoTask\Console\Addresses;
use Reasno\GoTask\Console\BrokerReload;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Process\Supervision\Reload;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * `gotask reload`: has a worker on this machine load its code as it is now.
 *
 * @internal
 */
class ReloadCommand extends ClientCommand
{
    protected const FOR_EACH = true;

    /** Seconds: the time of two starts, since a reload that is under way already is finished first. */
    private const TIMEOUT = 120.0;

    protected function configure(): void
    {
        parent::configure();
        $this->setName('reload')
            ->setDescription("Load a worker's code as it is now, without a failed call")
            ->setHelp(<<<'HELP'
                New processes take over once they are ready; where the new code can't be started, the old goes on, Python's traceback is
                shown, and the exit code is 1. The worker must run on this machine. SIGHUP to <info>gotask serve</info>, or to a broker, does the same.
                It is waited for as long as --timeout or $GOTASK_TIMEOUT says, else as long as two starts may take.

                HELP . ExitCode::HELP);
    }

    protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int
    {
        $timeout ??= $this->timeout($options);
        $address = Addresses::of($options->text('address'))[0];
        $generation = Reload::request($address)?->await($timeout) ?? (new BrokerReload($task, $address))->run($timeout);
        $output->writeln($options->flag('json') ? Json::line(['generation' => $generation]) : "<info>the code as it is now runs</info>, generation {$generation}");

        return ExitCode::OK;
    }

    protected function timeout(Options $options): float
    {
        return self::TIMEOUT;
    }
}
