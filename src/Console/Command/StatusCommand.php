<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Figures;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Console\TypedMap;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Helper\Table;
use Symfony\Component\Console\Output\OutputInterface;

use function sprintf;

/**
 * `gotask status`: how a worker is doing.
 *
 * @internal
 */
class StatusCommand extends ClientCommand
{
    protected const FOR_EACH = true;

    protected function configure(): void
    {
        parent::configure();
        $this->setName('status')->setDescription('Show how a worker is doing: its processes, its queue, its counters');
    }

    protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int
    {
        $answer = $task->call('GoTask.Status', null, $timeout);
        if ($options->flag('json')) {
            return self::json($answer, $output);
        }
        $status = TypedMap::of($answer);
        foreach (self::lines($status) as $name => $line) {
            $output->writeln(sprintf('%-10s %s', $name, $line));
        }
        self::table($output, ['service', 'kind', 'workers', 'queued', 'running', 'calls', 'refused', 'wait p50', 'p99', 'run p50', 'p99'], array_map(
            static fn (TypedMap $service): array => [
                // The one of all services that have no workers of their own has no name.
                $service->text('name') === '' ? '(shared)' : $service->shown('name'),
                ...array_map($service->shown(...), ['kind', 'workers', 'queued', 'running', 'calls', 'refused']),
                ...array_map(static fn (string $key): string => Figures::time($service->number($key)), ['wait_p50', 'wait_p99', 'run_p50', 'run_p99']),
            ],
            $status->records('services'),
        ));
        self::table($output, ['method', 'calls', 'cancelled', 'errors', 'wait p50', 'p99', 'run p50', 'p99'], array_map(
            static fn (TypedMap $method): array => [
                ...array_map($method->shown(...), ['name', 'calls', 'cancelled']),
                self::parts($method->map('errors')),
                ...array_map(Figures::time(...), [$method->map('wait')->number('p50'), $method->map('wait')->number('p99')]),
                ...array_map(Figures::time(...), [$method->map('run')->number('p50'), $method->map('run')->number('p99')]),
            ],
            $status->records('methods'),
        ));
        self::table($output, ['process', 'service', 'kind', 'generation', 'state', 'calls', 'memory'], array_map(
            static fn (TypedMap $worker): array => [
                $worker->shown('pid'),
                $worker->text('service') === '' ? '(shared)' : $worker->shown('service'),
                ...array_map($worker->shown(...), ['kind', 'generation', 'state', 'calls']),
                Figures::size($worker->number('memory')),
            ],
            $status->records('workers'),
        ));

        return ExitCode::OK;
    }

    /**
     * @return array<string, string>
     */
    private static function lines(TypedMap $status): array
    {
        $state = $status->shown('state');
        $reload = $status->map('reload');

        return array_filter([
            'state' => $state === 'ready' ? "<info>{$state}</info>" : "<comment>{$state}</comment>",
            'failure' => self::failure($status->text('failure')),
            'reload' => match ($reload->text('state')) {
                '' => '',
                // Of Python's traceback, which the log has and `reload` shows, the last line says the most.
                'failed' => self::failure('failed, and the old code goes on: ' . substr((string) strrchr("\n" . rtrim($reload->text('message')), "\n"), 1)),
                default => '<comment>' . $reload->shown('message') . '</comment>',
            },
            'addresses' => Terminal::line(implode(', ', $status->texts('addresses'))),
            'up for' => Figures::duration($status->number('uptime')),
            'broker' => sprintf('process %s, Python %s (%s), gotask %s', $status->shown('pid'), $status->shown('python'), $status->shown('loop'), $status->shown('version')),
            'generation' => $status->shown('generation'),
            'calls' => sprintf('%s so far, %s running, %s waiting, over %s connections', ...array_map($status->shown(...), ['calls', 'running', 'queued', 'connections'])),
            'deaths' => self::parts($status->map('counters')->map('deaths')),
        ], static fn (string $line): bool => $line !== '');
    }

    /** How many of each there are; empty: none. */
    private static function parts(TypedMap $numbers): string
    {
        $parts = [];
        foreach ($numbers->numbers() as $name => $number) {
            $parts[] = Figures::count($number) . ' ' . Terminal::line((string) $name);
        }

        return implode(', ', $parts);
    }

    private static function failure(string $message): string
    {
        return $message === '' ? '' : '<fg=red>' . Terminal::text(rtrim($message)) . '</>';
    }

    /**
     * @param list<string> $headers
     * @param list<list<string>> $rows
     */
    private static function table(OutputInterface $output, array $headers, array $rows): void
    {
        if ($rows !== []) {
            $output->writeln('');
            (new Table($output))->setStyle('compact')->setHeaders($headers)->setRows($rows)->render();
        }
    }
}
