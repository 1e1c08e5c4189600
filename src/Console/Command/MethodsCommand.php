<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Console\TypedMap;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * `gotask methods`: what a worker offers.
 *
 * @internal
 */
class MethodsCommand extends ClientCommand
{
    protected const FOR_EACH = true;

    protected function configure(): void
    {
        parent::configure();
        $this->setName('methods')->setDescription('List the methods of a worker with their parameters');
    }

    protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int
    {
        $methods = $task->call('GoTask.Methods', null, $timeout);
        if ($options->flag('json')) {
            return self::json($methods, $output);
        }
        foreach (TypedMap::list($methods) as $method) {
            $signature = $method->shown('signature') ?: $method->shown('name');
            $output->writeln("<info>{$signature}</info>" . ($method->flag('async') ? '  <comment>async</comment>' : ''));
            $doc = strtok($method->text('doc'), "\n");
            if ($doc !== false) {
                $output->writeln('    ' . Terminal::line(trim($doc)));
            }
        }

        return ExitCode::OK;
    }
}
