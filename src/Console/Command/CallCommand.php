<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\ProgressLine;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Output\StreamOutput;

use function is_string;

/**
 * `gotask call METHOD [JSON]`: one call, its result on standard output.
 *
 * @internal
 */
class CallCommand extends ClientCommand
{
    protected function configure(): void
    {
        parent::configure();
        $this->setName('call')
            ->setDescription('Call a method and show its result')
            ->addArgument('method', InputArgument::REQUIRED, 'such as App.Hi; the command methods lists them')
            ->addArgument('payload', InputArgument::OPTIONAL, 'JSON; - reads it from standard input; nothing is null')
            ->addOption('stream', null, InputOption::VALUE_NONE, 'for a method that yields: each element as a line of JSON, as it comes')
            ->setHelp(<<<'HELP'
                  <info>%command.full_name% App.Hi '"Reasno"'</info>
                  <info>%command.full_name% App.Add '[1, 2]'</info>           a list fills the parameters of a method with several
                  <info>%command.full_name% App.Report '{"year": 2026}'</info> and a map does by name

                A payload that begins with a minus sign comes after --: <info>%command.full_name% -- App.Abs -1</info>

                What the method tells of its progress is shown on a terminal.

                A result that is plain bytes is written as it is where standard output is no terminal.

                HELP . ExitCode::HELP);
    }

    protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int
    {
        $text = $options->text('payload');
        $source = $text === '-' ? 'what standard input holds' : 'the argument payload';
        $text = $text === '-' ? (string) stream_get_contents(STDIN) : $text;
        $payload = $text === null || trim($text) === '' ? null : Json::parse($text, $source);
        if ($options->flag('stream')) {
            foreach ($task->stream($options->text('method') ?? '', $payload, $timeout) as $element) {
                $line = Json::line($element) . "\n";
                if (! $output instanceof StreamOutput) {
                    $output->write($line, false, OutputInterface::OUTPUT_RAW);
                } elseif (@fwrite($output->getStream(), $line) === false) {
                    break; // whoever reads has left: `… | head`
                }
            }

            return ExitCode::OK;
        }
        $errors = $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : null;
        $line = $errors?->isDecorated() === true ? new ProgressLine($errors) : null;

        try {
            $result = $task->call($options->text('method') ?? '', $payload, $timeout, $line === null ? null : $line->show(...));
        } finally {
            $line?->end();
        }

        if ($options->flag('json')) {
            $output->writeln(Json::line($result), OutputInterface::OUTPUT_RAW);
        } elseif (is_string($result) && ! Json::isText($result) && ! self::isTerminal($output)) {
            $output->write($result, false, OutputInterface::OUTPUT_RAW);
        } else {
            $output->writeln(Json::pretty($result), OutputInterface::OUTPUT_RAW);
        }

        return ExitCode::OK;
    }

    private static function isTerminal(OutputInterface $output): bool
    {
        return $output->isDecorated() || $output instanceof StreamOutput && stream_isatty($output->getStream());
    }
}
