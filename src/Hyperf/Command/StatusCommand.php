<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Command\StatusCommand as ConsoleCommand;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Hyperf\Config\Workers;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\BufferedOutput;
use Symfony\Component\Console\Output\OutputInterface;

use function count;

/**
 * `gotask:status`, of all workers unless one is named; as JSON it is a map by name where there are several.
 */
class StatusCommand extends ConsoleCommand
{
    use NamedWorker;

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $options = new Options($input);
        try {
            $one = $options->text('worker') ?? ($options->text('address') === null ? null : Workers::DEFAULT);
            $names = array_keys($this->workers->all());
            if ($one !== null || count($names) < 2) {
                return parent::execute($input, $output);
            }
        } catch (InvalidConfiguration $error) {
            $output->writeln('<fg=red>' . Terminal::text($error->getMessage()) . '</>');

            return ExitCode::USAGE;
        }
        $code = ExitCode::OK;
        $documents = [];
        foreach ($names as $place => $name) {
            $input->setOption('worker', $name);
            $input->setOption('address', null);
            if ($options->flag('json')) {
                $document = new BufferedOutput();
                $code = max($code, parent::execute($input, $document));
                $documents[] = Json::line($name) . ':' . trim($document->fetch());
                continue;
            }
            $output->writeln(($place === 0 ? '' : "\n") . "<options=bold>{$name}</>" . ($this->workers->get($name)->managed ? '' : ', deployed apart'));
            $code = max($code, parent::execute($input, $output));
        }
        if ($options->flag('json')) {
            $output->writeln('{' . implode(',', $documents) . '}', OutputInterface::OUTPUT_RAW);
        }

        return $code;
    }

    protected function defaultWorker(): string
    {
        return 'all of them';
    }
}
