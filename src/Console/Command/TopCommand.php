<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use InvalidArgumentException;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Top\LiveTerminal;
use Reasno\GoTask\Console\Top\Top;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Output\StreamOutput;
use ValueError;

/**
 * `gotask top`: what goes on in workers, live.
 *
 * @internal
 */
class TopCommand extends WorkerCommand
{
    protected const FOR_EACH = true;

    /** Columns of a frame that no terminal bounds. */
    private const WIDTH = 1000;

    protected function configure(): void
    {
        parent::configure();
        $this->setName('top')
            ->setDescription('Watch workers live: their methods, their processes; recycle or kill one')
            ->addOption('once', null, InputOption::VALUE_NONE, 'one frame as plain text, of what goes on for one interval; always so where there is no terminal')
            ->addOption('interval', 'i', InputOption::VALUE_REQUIRED, 'seconds between two looks', '1')
            ->setHelp(<<<'HELP'
                Keys sort the tables: <info>c</info> calls/s, <info>t</info> total, <info>e</info> errors, <info>w</info> waiting, <info>x</info> running, <info>b</info> bytes/s, <info>m</info> memory, <info>u</info> CPU, <info>n</info> name.
                Arrows, or <info>j</info> and <info>k</info>, select a process: <info>r</info> replaces it by a new one after the calls that it has, <info>K</info> kills it,
                <info>d</info> shows where its Python is, <info>f</info> the last failures of its worker with their tracebacks. <info>q</info> quits.

                Percentiles are those of the last minute, totals those since the worker was started. CPU is of one processor.

                HELP . ExitCode::HELP);
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $options = new Options($input);
        try {
            $interval = $options->seconds('interval') ?? 1.0;
            $clients = array_map(static fn (array $target): GoTask => $target[1](), $this->targets($options));
            $top = new Top($clients, $options->seconds('timeout') ?? 5.0);
            $terminal = $output instanceof StreamOutput && ! $options->flag('once') ? new LiveTerminal(STDIN, $output->getStream()) : null;
            if ($terminal?->open() !== true) {
                $output->writeln($top->once($interval, self::WIDTH));

                return $top->isWell() ? ExitCode::OK : ExitCode::NO_CONNECTION;
            }
            try {
                $top->run($terminal, $output->getFormatter(), $interval);
            } finally {
                $terminal->close();
            }

            return ExitCode::OK;
        } catch (GoTaskException|InvalidArgumentException|ValueError $failure) {
            self::show($failure, $output);

            return ExitCode::of($failure);
        }
    }
}
