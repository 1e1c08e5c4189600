<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Platform\Quietly;
use Reasno\GoTask\Process\Child\ChildProcess;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * `gotask install`: a virtual environment with what the app needs, where the worker finds it by itself.
 *
 * @internal
 */
class InstallCommand extends Command
{
    protected function configure(): void
    {
        $this->setName('install')
            ->setDescription("Make a virtual environment with the app's Python packages")
            ->addArgument('requirements', InputArgument::OPTIONAL, 'a list of packages, as pip reads it', 'gotask/requirements.txt')
            ->addOption('venv', null, InputOption::VALUE_REQUIRED, 'the folder; .venv, venv and this one are found by themselves', 'runtime/gotask/venv')
            ->addOption('wheels', null, InputOption::VALUE_REQUIRED, 'a folder of wheels to install from, and nothing else: for builds without network')
            ->addOption('python', 'p', InputOption::VALUE_REQUIRED, 'the interpreter to make it with', 'python3')
            ->setHelp('Run again it installs what has been added. Exit codes: <info>0</info> done; <info>1</info> it did not work; what pip said stands above.');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $options = new Options($input);
        $directory = $this->directory();
        $absolute = static fn (?string $path): string => $path === null || $path === '' || $path[0] === '/' ? (string) $path : "{$directory}/{$path}";
        $venv = $absolute($options->text('venv'));
        $requirements = $absolute($options->text('requirements'));
        $wheels = $absolute($options->text('wheels'));
        $python = $options->text('python') ?? 'python3';
        $obstacle = ChildProcess::obstacle() ?? (Quietly::call(static fn () => is_file($requirements)) ? null : "there is no {$requirements}");
        if ($obstacle !== null) {
            $output->writeln("<fg=red>{$obstacle}</>");

            return ExitCode::FAILED;
        }
        if (! Quietly::call(static fn () => is_file("{$venv}/bin/python")) && ! $this->run_([$python, '-m', 'venv', $venv], $output)) {
            $output->writeln("<fg=red>{$python} can't make a virtual environment</>; on Debian and Ubuntu: apt-get install python3-venv");

            return ExitCode::FAILED;
        }
        $install = ["{$venv}/bin/python", '-m', 'pip', 'install', '--disable-pip-version-check', '--requirement', $requirements];
        if (! $this->run_($wheels === '' ? $install : [...$install, '--no-index', '--find-links', $wheels], $output)) {
            return ExitCode::FAILED;
        }
        $output->writeln("<info>{$venv} has what {$requirements} lists</info>");

        return ExitCode::OK;
    }

    /** Relative paths count from here. */
    protected function directory(): string
    {
        return (string) getcwd();
    }

    /**
     * @param non-empty-list<string> $command
     */
    private function run_(array $command, OutputInterface $output): bool
    {
        $output->writeln('<comment>' . implode(' ', $command) . '</comment>');
        $pipes = [];
        // With STDOUT named, PHP would set what is a file back to its beginning.
        $process = @proc_open($command, [], $pipes);

        return $process !== false && proc_close($process) === 0;
    }
}
