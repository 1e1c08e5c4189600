<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Record;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Helper\Table;
use Symfony\Component\Console\Output\OutputInterface;

use function sprintf;

/**
 * `gotask status`: how a worker is doing.
 */
class StatusCommand extends ClientCommand
{
    protected function configure(): void
    {
        parent::configure();
        $this->setName('status')->setDescription('Show how a worker is doing: its processes, its queue, its counters');
    }

    protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int
    {
        $status = Record::of($task->call('GoTask.Status', null, $timeout));
        if ($options->flag('json')) {
            $output->writeln(Json::line($status->fields), OutputInterface::OUTPUT_RAW);

            return ExitCode::OK;
        }
        $state = $status->text('state');
        $lines = [
            'state' => $state === 'ready' ? "<info>{$state}</info>" : "<comment>{$state}</comment>",
            'failure' => '<fg=red>' . OutputFormatter::escape($status->text('failure')) . '</>',
            'addresses' => implode(', ', $status->texts('addresses')),
            'up for' => self::duration($status->number('uptime')),
            'broker' => sprintf('process %s, Python %s (%s), gotask %s', $status->text('pid'), $status->text('python'), $status->text('loop'), $status->text('version')),
            'calls' => sprintf('%s so far, %s running, %s waiting, over %s connections', ...array_map($status->text(...), ['calls', 'running', 'queued', 'connections'])),
        ];
        foreach ($lines as $name => $line) {
            if ($name !== 'failure' || $status->text('failure') !== '') {
                $output->writeln(sprintf('%-10s %s', $name, $line));
            }
        }
        $workers = $status->records('workers');
        if ($workers !== []) {
            (new Table($output))->setStyle('compact')->setHeaders(['worker', 'state', 'calls'])->setRows(array_map(
                static fn (Record $worker): array => array_map($worker->text(...), ['pid', 'state', 'calls']),
                $workers,
            ))->render();
        }

        return ExitCode::OK;
    }

    private static function duration(float $seconds): string
    {
        $seconds = (int) $seconds;

        return match (true) {
            $seconds < 120 => "{$seconds} s",
            $seconds < 7200 => intdiv($seconds, 60) . ' min',
            $seconds < 172_800 => intdiv($seconds, 3600) . ' h',
            default => intdiv($seconds, 86_400) . ' days',
        };
    }
}
