<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use InvalidArgumentException;
use Reasno\GoTask\Console\Bench\Benchmark;
use Reasno\GoTask\Console\Bench\Figure;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Exception\GoTaskException;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Helper\Table;
use Symfony\Component\Console\Helper\TableSeparator;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;

use function function_exists;
use function in_array;
use function sprintf;

/**
 * `gotask bench`: what a call costs on this machine.
 */
final class BenchCommand extends Command
{
    protected function configure(): void
    {
        $this->setName('bench')
            ->setDescription('Measure what calls cost here, beside a bare echo server')
            ->addOption('calls', 'c', InputOption::VALUE_REQUIRED, 'calls one at a time, for each contender', '20000')
            ->addOption('python', 'p', InputOption::VALUE_REQUIRED, 'the interpreter [default: $GOTASK_PYTHON or the first that has what is needed]')
            ->addOption('json', null, InputOption::VALUE_NONE, 'one JSON document, for programs')
            ->setHelp(<<<'HELP'
                It starts a worker and an echo server of its own. Waking a process on another core costs more than anything else here;
                <info>taskset -c 0 bin/gotask bench</info> keeps all on one, which gives the figures that vary least.

                HELP . ExitCode::HELP);
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $options = new Options($input);
        $errors = $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : $output;
        $load = function_exists('sys_getloadavg') ? sys_getloadavg()[0] ?? 0.0 : 0.0;
        if ($load > 0.5) {
            $errors->writeln(sprintf('<fg=yellow>other programs keep the processors busy (load %.1f): the figures will be worse than they could be</>', $load));
        }
        // 60 MiB, encoded, sent and received, are several strings of 60 MiB.
        function_exists('ini_set') && ini_set('memory_limit', '1G');
        try {
            $figures = (new Benchmark(
                $options->integer('calls') ?: throw new InvalidArgumentException('--calls takes a whole number of at least 1'),
                $options->text('python'),
                static fn (string $what) => $errors->writeln("<comment>{$what} …</comment>"),
            ))->run();
        } catch (GoTaskException|InvalidArgumentException $failure) {
            $errors->writeln(Terminal::text($failure->getMessage()));

            return ExitCode::of($failure);
        }
        $options->flag('json') ? $output->writeln(self::json($figures), OutputInterface::OUTPUT_RAW) : self::table($figures, $output);

        return ExitCode::OK;
    }

    /**
     * @param list<Figure> $figures
     */
    private static function table(array $figures, OutputInterface $output): void
    {
        $rows = [];
        foreach ($figures as $figure) {
            if (in_array($figure->key, ['together_echo', 'large_mb_s', 'resident_mib'], true)) {
                $rows[] = new TableSeparator();
            }
            $colour = match ($figure->isMet()) {
                true => 'green',
                false => 'red',
                null => 'default',
            };
            $rows[] = [$figure->name, "<fg={$colour}>{$figure->text()}</>", $figure->target()];
        }
        (new Table($output))->setHeaders(['', 'measured', 'target'])->setRows($rows)->render();
    }

    /**
     * @param list<Figure> $figures
     */
    private static function json(array $figures): string
    {
        $document = [];
        foreach ($figures as $figure) {
            $document[$figure->key] = ['value' => round($figure->value, 3), 'unit' => $figure->unit, 'met' => $figure->isMet()];
        }

        return Json::line($document);
    }
}
