<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Reasno\GoTask\Console\Doctor\Interpreters;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Process\BrokerCommand;
use Reasno\GoTask\Process\ChildProcess;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * `gotask compile`: the part of the Python side that every call passes through, compiled to C.
 */
class CompileCommand extends Command
{
    protected function configure(): void
    {
        $this->setName('compile')
            ->setDescription('Compile what every call passes through, for quicker calls')
            ->addOption('python', 'p', InputOption::VALUE_REQUIRED, 'the interpreter [default: the one that workers are started with]')
            ->setHelp(
                "It needs mypy, setuptools, a C compiler and Python's headers; running workers afterwards needs none of them. What has been compiled is used from the next\n"
                . "start on, as long as the sources and the interpreter stay as they are: run it after each `composer install`. It can be left out.\n"
                . 'Exit codes: <info>0</info> done; <info>1</info> it did not work, and everything is as it was.',
            );
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $python = (new Interpreters((new Options($input))->text('python'), $this->directory()))->usable();
        if ($python === null) {
            $output->writeln('<fg=red>' . (ChildProcess::obstacle() ?? 'no Python that was found has what the worker needs: the command doctor says more') . '</>');

            return ExitCode::FAILED;
        }
        $pipes = [];
        $process = @proc_open([$python, BrokerCommand::script(), '--compile'], [], $pipes, $this->directory());

        return $process !== false && proc_close($process) === 0 ? ExitCode::OK : ExitCode::FAILED;
    }

    /** From where relative paths count. */
    protected function directory(): string
    {
        return (string) getcwd();
    }
}
