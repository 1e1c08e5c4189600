<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use InvalidArgumentException;
use Nette\PhpGenerator\PhpFile;
use Reasno\GoTask\Client;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Generate\Description;
use Reasno\GoTask\Generate\Folder;
use Reasno\GoTask\Generate\Generator;
use Reasno\GoTask\Generate\Names;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Process\WorkerProcess;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

use function count;

/**
 * `gotask generate [APP]`: PHP classes for what a worker offers.
 *
 * @internal
 */
class GenerateCommand extends ClientCommand
{
    private const DEFAULT = 'App\Python';

    private ?WorkerProcess $process = null;

    protected function configure(): void
    {
        parent::configure();
        $this->setName('generate')
            ->setDescription('Write PHP classes for the methods of a worker')
            ->addArgument('app', InputArgument::OPTIONAL, 'a Python file or module: a worker is started for it, and none needs to run')
            ->addOption('namespace', null, InputOption::VALUE_REQUIRED, 'of the classes [default: ' . self::DEFAULT . ']')
            ->addOption('output', 'o', InputOption::VALUE_REQUIRED, 'the folder [default: where composer.json has the namespace]')
            ->addOption('check', null, InputOption::VALUE_NONE, 'write nothing; exit with 1 where files are missing, stale or left over')
            ->setHelp(<<<'HELP'
                One class for each service, <info>Functions</info> for functions without one, one for each dataclass and the like, an enum for each enum.
                Files that were generated and belong to nothing any more are removed; other files are left alone.

                HELP . ExitCode::HELP);
    }

    protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int
    {
        if (! class_exists(PhpFile::class)) {
            throw new InvalidArgumentException('Generating classes needs a package that is not installed: composer require --dev nette/php-generator');
        }
        $worker = $this->named($options);
        $namespace = trim($options->text('namespace') ?? self::DEFAULT . ($worker === null ? '' : '\\' . Names::studly($worker[1])), '\\');
        if (preg_match('/^[a-z_\x7f-\xff][\w\x7f-\xff]*(\\\[a-z_\x7f-\xff][\w\x7f-\xff]*)*$/i', $namespace) !== 1) {
            throw new InvalidArgumentException("--namespace takes a namespace such as App\\Python, not '{$namespace}'");
        }
        $folder = $options->text('output') === null ? Folder::of($namespace, $this->project()) : new Folder((string) $options->text('output'));
        $classes = Generator::classes(Description::of($task->call(Description::METHOD, null, $timeout)), $namespace, $worker);
        $check = $options->flag('check');
        $differences = $check ? $folder->differences($classes) : $folder->write($classes);
        if ($options->flag('json')) {
            $output->writeln(Json::line((object) $differences), OutputInterface::OUTPUT_RAW);
        } else {
            foreach ($differences as $file => $difference) {
                $output->writeln(Terminal::line($check ? "{$file} {$difference}" : ($difference === Folder::LEFT_OVER ? 'removed ' : 'written ') . $file));
            }
            $output->writeln(match (true) {
                $differences === [] => count($classes) . ' classes are current',
                $check => 'run it without --check, and commit what it writes',
                default => count($classes) . " classes in {$folder->path}",
            });
        }

        return $check && $differences !== [] ? ExitCode::FAILED : ExitCode::OK;
    }

    protected function client(Options $options): GoTask
    {
        $app = $options->text('app');
        if ($app === null) {
            return parent::client($options);
        }
        $this->process = new WorkerProcess($app, workers: 1);
        $this->process->start();

        return new Client($this->process->address());
    }

    /**
     * The project's folder.
     */
    protected function project(): string
    {
        return (string) getcwd();
    }

    /**
     * @return null|array{string, string} a class whose get() gives the client that the classes use, and by which name; null: GoTask
     *                                    itself is injected
     */
    protected function named(Options $options): ?array
    {
        return null;
    }
}
