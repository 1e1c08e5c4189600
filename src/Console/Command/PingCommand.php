<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use InvalidArgumentException;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

use function is_float;
use function sprintf;

/**
 * `gotask ping`: whether a worker's broker answers, and how fast.
 *
 * @internal
 */
class PingCommand extends ClientCommand
{
    protected function configure(): void
    {
        parent::configure();
        $this->setName('ping')
            ->setDescription('Measure round trips to a worker\'s broker')
            ->addOption('count', 'c', InputOption::VALUE_REQUIRED, 'round trips', '4')
            ->addOption('interval', 'i', InputOption::VALUE_REQUIRED, 'seconds between them', '0.2');
    }

    protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int
    {
        $count = $options->integer('count');
        if ($count === null || $count < 1) {
            throw new InvalidArgumentException('--count takes a whole number of at least 1');
        }
        $interval = $options->seconds('interval') ?? 0.0;
        $json = $options->flag('json');
        $times = [];
        for ($number = 1; $number <= $count; $number++) {
            $number === 1 || usleep((int) ($interval * 1e6));
            $started = hrtime(true);
            $task->call('GoTask.Ping', $number, $timeout);
            $times[] = $time = (hrtime(true) - $started) / 1e6;
            // The first one opens the connection.
            $json || $output->writeln(sprintf('%d: <info>%.3f ms</info>%s', $number, $time, $number === 1 ? '  (with connecting)' : ''));
        }
        $summary = ['count' => $count, 'min_ms' => min($times), 'mean_ms' => array_sum($times) / $count, 'max_ms' => max($times)];
        $output->writeln(
            $json ? Json::line(array_map(static fn (float|int $value) => is_float($value) ? round($value, 3) : $value, $summary))
                : sprintf('%d round trips: min %.3f, mean %.3f, max %.3f ms', ...array_values($summary)),
            OutputInterface::OUTPUT_RAW,
        );

        return ExitCode::OK;
    }
}
