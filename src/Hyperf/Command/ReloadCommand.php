<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use InvalidArgumentException;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Process\Supervision\Reload;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * `gotask:reload`: has a worker load its code as it is now, beside what runs.
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
            ->setDescription('Load a Python worker\'s code as it is now, without a failed call')
            ->addOption('worker', 'w', InputOption::VALUE_REQUIRED, 'a name in config/autoload/gotask.php [default: all of them]')
            ->addOption('timeout', 't', InputOption::VALUE_REQUIRED, 'seconds to wait for each worker [default: twice its start_timeout]')
            ->setHelp(<<<'HELP'
                New processes take over once they are ready; where the new code can't be started, the old goes on.

                Exit codes: <info>0</info> the new code takes calls; <info>1</info> it does not start; <info>2</info> no such worker; <info>3</info> no server runs here;
                <info>4</info> it took too long, and may still come.
                HELP);
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        try {
            $options = new Options($input);
            $name = $options->text('worker');
            $timeout = $options->text('timeout') === null ? null : $options->seconds('timeout');
            $workers = $name === null ? $this->workers->all() : [$this->workers->get($name)];
        } catch (InvalidArgumentException|InvalidConfiguration $error) {
            $output->writeln('<fg=red>' . Terminal::text($error->getMessage()) . '</>');

            return ExitCode::USAGE;
        }
        $code = ExitCode::OK;
        foreach ($workers as $config) {
            foreach ($config->addresses as $address) {
                $code = max($code, $this->reload($config, $address, $timeout, $output));
            }
        }

        return $code;
    }

    /**
     * @param null|float $timeout seconds
     */
    protected function reload(WorkerConfig $config, string $address, ?float $timeout, OutputInterface $output): int
    {
        $reload = Reload::request($address);
        if ($reload === null && Reload::obstacle() !== null) {
            $output->writeln('<fg=red>' . Terminal::text("{$config->name}: " . Reload::obstacle()) . '</>');

            return ExitCode::NO_CONNECTION;
        }
        if ($reload === null && ! $config->managed) {
            $output->writeln("<comment>{$config->name} is deployed apart, at {$address}, and was not found here</>: vendor/bin/gotask reload --address={$address}, on its machine");

            return ExitCode::NO_CONNECTION;
        }
        if ($reload === null) {
            $output->writeln("<fg=red>{$config->name}: no server runs here that has it</>, as far as {$address} tells");

            return ExitCode::NO_CONNECTION;
        }
        try {
            // One that is under way already is waited for, and then this one's turn comes.
            $generation = $reload->await($timeout ?? 2 * $config->startTimeout);
            $output->writeln("<info>{$config->name} runs the code as it is now</info>, generation {$generation}");

            return ExitCode::OK;
        } catch (GoTaskException $failure) {
            $output->writeln('<fg=red>' . Terminal::text("{$config->name}: {$failure->getMessage()}") . '</>');

            return ExitCode::of($failure);
        }
    }
}
