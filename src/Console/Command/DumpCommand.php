<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Console\TypedMap;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * `gotask dump`: where the Python of a worker is at this moment.
 *
 * @internal
 */
class DumpCommand extends ClientCommand
{
    protected const FOR_EACH = true;

    protected function configure(): void
    {
        parent::configure();
        $this->setName('dump')
            ->setDescription('Show the Python stacks of all processes of a worker; none is stopped')
            ->addOption('pid', null, InputOption::VALUE_REQUIRED, 'of this process alone');
    }

    protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int
    {
        $pid = $options->integer('pid');
        $dumps = $task->call('GoTask.Dump', $pid === null ? null : ['pid' => $pid], $timeout);
        if ($options->flag('json')) {
            return self::json($dumps, $output);
        }
        foreach (TypedMap::list($dumps) as $number => $dump) {
            $service = $dump->text('service') === '' ? '' : " of {$dump->shown('service')}";
            $output->writeln(($number === 0 ? '' : "\n") . "<info>{$dump->shown('pid')}</info>  {$dump->shown('kind')} worker{$service}, {$dump->shown('state')}");
            // No line of a stack can pass for the heading of another process.
            $output->writeln((string) preg_replace('/^ +$/m', '', '    ' . Terminal::paragraph(rtrim($dump->text('stacks')))));
        }

        return ExitCode::OK;
    }
}
