<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Reasno\GoTask\Console\Addresses;
use Reasno\GoTask\Console\Doctor\Doctor;
use Reasno\GoTask\Console\Doctor\Finding;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * `gotask doctor`: what a worker needs, and what to do about what is missing.
 *
 * @internal
 */
class DoctorCommand extends Command
{
    protected function configure(): void
    {
        $this->setName('doctor')
            ->setDescription('Look at all that a worker needs, and say what to do about what is missing')
            ->addArgument('app', InputArgument::OPTIONAL, 'a Python file or module that registers services', 'gotask/app.py')
            ->addOption('address', 'a', InputOption::VALUE_REQUIRED, 'unix:///path.sock or tcp://host:port; several with commas between [default: $GOTASK_ADDRESS or ' . Addresses::DEFAULT . ']')
            ->addOption('python', 'p', InputOption::VALUE_REQUIRED, 'the interpreter [default: $GOTASK_PYTHON or the first that has what is needed]')
            ->addOption('json', null, InputOption::VALUE_NONE, 'one JSON document, for programs')
            ->setHelp('Exit codes: <info>0</info> a worker can start; <info>1</info> something must be mended first.');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $options = new Options($input);
        $findings = $this->examine($options);
        if ($options->flag('json')) {
            $output->writeln(Json::line(array_map(static fn (Finding $finding): array => $finding->toArray(), $findings)), OutputInterface::OUTPUT_RAW);
        }
        $well = true;
        foreach ($findings as $finding) {
            $well = $well && $finding->well !== false;
            $options->flag('json') || $this->show($finding, $output);
        }

        return $well ? ExitCode::OK : ExitCode::FAILED;
    }

    /**
     * @return list<Finding>
     */
    protected function examine(Options $options): array
    {
        $findings = [];
        foreach (Addresses::of($options->text('address')) as $place => $address) {
            $doctor = new Doctor($options->text('app') ?? 'gotask/app.py', $address, $options->text('python'), (string) getcwd());
            array_push($findings, ...$place === 0 ? $doctor->examine() : $doctor->examineAddress());
        }

        return $findings;
    }

    private function show(Finding $finding, OutputInterface $output): void
    {
        $mark = match ($finding->well) {
            true => '<info>ok  </info>',
            false => '<fg=red>bad </>',
            null => '<comment>note</comment>',
        };
        $output->writeln("{$mark} " . Terminal::paragraph($finding->what));
        if ($finding->advice !== '') {
            $output->writeln('     ' . Terminal::paragraph($finding->advice));
        }
    }
}
