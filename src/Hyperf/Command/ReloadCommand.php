<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\Process\ReloadHook;
use Reasno\GoTask\Process\Availability;
use Reasno\GoTask\Process\StatusFile;
use Reasno\GoTask\Process\WorkerStatus;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Logger\ConsoleLogger;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * `gotask:reload`: starts a worker again with its code as it is now.
 */
class ReloadCommand extends Command
{
    public function __construct(protected readonly Workers $workers)
    {
        parent::__construct();
    }

    protected function configure(): void
    {
        $this->setName('gotask:reload')
            ->setDescription('Start a Python worker again, with its code as it is now, when its running calls are finished')
            ->addOption('worker', 'w', InputOption::VALUE_REQUIRED, 'a name in config/autoload/gotask.php [default: all that are managed]')
            ->setHelp('Exit codes: <info>0</info> the new code takes calls; <info>1</info> it does not start; <info>2</info> no such worker; <info>3</info> no server runs here.');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        try {
            $name = (new Options($input))->text('worker');
            $workers = $name === null ? $this->workers->all() : [$this->workers->get($name)];
        } catch (InvalidConfiguration $error) {
            $output->writeln("<fg=red>{$error->getMessage()}</>");

            return ExitCode::USAGE;
        }
        $code = ExitCode::OK;
        foreach ($workers as $config) {
            if ($config->managed) {
                $code = max($code, $this->reload($config, $output));
            }
        }

        return $code;
    }

    protected function reload(WorkerConfig $config, OutputInterface $output): int
    {
        $file = new StatusFile($config->address);
        $before = $file->read();
        if (! (new ReloadHook($config, new ConsoleLogger($output)))->reload()) {
            return ExitCode::NO_CONNECTION;
        }
        $until = hrtime(true) / 1e9 + $config->shutdownTimeout + $config->startTimeout;
        while (! $this->isDone($before, $status = $file->read()) && hrtime(true) / 1e9 < $until) {
            usleep(20_000);
        }
        if ($status?->availability === Availability::Ready) {
            $output->writeln("<info>{$config->name} runs the code as it is now</info>");

            return ExitCode::OK;
        }
        $output->writeln("<fg=red>{$config->name} does not start</>: " . ($status->message ?? 'its supervisor has ended'), OutputInterface::OUTPUT_NORMAL);

        return ExitCode::FAILED;
    }

    private function isDone(?WorkerStatus $before, ?WorkerStatus $now): bool
    {
        return $now === null || $now->since !== $before?->since && $now->availability !== Availability::Starting;
    }
}
