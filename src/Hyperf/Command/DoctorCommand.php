<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\DoctorCommand as ConsoleCommand;
use Reasno\GoTask\Console\Doctor\Doctor;
use Reasno\GoTask\Console\Doctor\Finding;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\GoTaskFactory;
use Symfony\Component\Console\Input\InputOption;

/**
 * `gotask:doctor`: the configuration, and what each worker of it needs.
 */
class DoctorCommand extends ConsoleCommand
{
    /** Seconds that a worker which is deployed apart gets to answer. */
    protected const PATIENCE = 2.0;

    public function __construct(protected readonly Workers $workers, protected readonly GoTaskFactory $factory)
    {
        parent::__construct();
    }

    protected function configure(): void
    {
        $this->setName('gotask:doctor')
            ->setDescription('Look at all that the Python workers need, and say what to do about what is missing')
            ->addOption('worker', 'w', InputOption::VALUE_REQUIRED, 'a name in config/autoload/gotask.php [default: all of them]')
            ->addOption('json', null, InputOption::VALUE_NONE, 'one JSON document, for programs')
            ->setHelp('Exit codes: <info>0</info> the workers can start; <info>1</info> something must be mended first.');
    }

    protected function examine(Options $options): array
    {
        try {
            $name = $options->text('worker');
            $workers = $name === null ? $this->workers->all() : [$name => $this->workers->get($name)];
        } catch (InvalidConfiguration $error) {
            return [new Finding(false, $error->getMessage())];
        }
        if ($workers === []) {
            return [new Finding(false, 'there is no config/autoload/gotask.php', 'php bin/hyperf.php vendor:publish reasno/gotask')];
        }
        $findings = [];
        foreach ($workers as $name => $config) {
            $findings[] = new Finding(true, "the worker {$name}" . ($config->managed ? '' : ', which is not managed, at ' . implode(', ', $config->addresses)));
            array_push($findings, ...$config->managed
                ? (new Doctor($config->app, $config->address, $config->python, $config->directory, 'php bin/hyperf.php gotask:'))->examine()
                : array_map(fn (string $address): Finding => $this->ask($config, $address), $config->addresses));
        }

        return $findings;
    }

    /** All that can be seen from here of a worker that is deployed apart. */
    protected function ask(WorkerConfig $config, string $address): Finding
    {
        try {
            $this->factory->at($config->name, $address)->call('GoTask.Ping', null, self::PATIENCE);

            return new Finding(true, "it answers at {$address}");
        } catch (GoTaskException $failure) {
            return new Finding(false, $failure->getMessage());
        }
    }
}
