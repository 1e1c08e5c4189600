<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Closure;
use InvalidArgumentException;
use JsonException;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\BufferedOutput;
use Symfony\Component\Console\Output\OutputInterface;
use Throwable;
use ValueError;

use function count;

/**
 * A command that calls running workers, one after the other.
 *
 * @internal
 */
abstract class ClientCommand extends WorkerCommand
{
    protected function configure(): void
    {
        parent::configure();
        $this->addOption('json', null, InputOption::VALUE_NONE, 'one JSON document, for programs; a failure is {"error": {…}}');
    }

    /**
     * @param null|float $timeout seconds for each call; null: the client's own
     * @return int the exit code
     */
    abstract protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int;

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $options = new Options($input);
        try {
            $targets = static::FOR_EACH ? $this->targets($options) : ['' => [[], fn (): GoTask => $this->client($options)]];
        } catch (InvalidConfiguration|ValueError $failure) {
            return self::failed($failure, $options, $output);
        }
        $code = ExitCode::OK;
        $documents = [];
        foreach ($targets as $name => [$chosen, $connect]) {
            array_map($input->setOption(...), array_keys($chosen), $chosen);
            if (count($targets) === 1) {
                return $this->runOnce($connect, $options, $output);
            }
            if ($options->flag('json')) {
                $document = new BufferedOutput();
                $code = max($code, $this->runOnce($connect, $options, $document));
                $documents[] = Json::line($name) . ':' . trim($document->fetch());
                continue;
            }
            $output->writeln(($name === array_key_first($targets) ? '' : "\n") . '<options=bold>' . Terminal::line($name) . '</>');
            $code = max($code, $this->runOnce($connect, $options, $output));
        }
        if ($options->flag('json')) {
            $output->writeln('{' . implode(',', $documents) . '}', OutputInterface::OUTPUT_RAW);
        }

        return $code;
    }

    /**
     * @return int the exit code
     */
    protected static function json(mixed $document, OutputInterface $output): int
    {
        $output->writeln(Json::line($document), OutputInterface::OUTPUT_RAW);

        return ExitCode::OK;
    }

    /**
     * @param Closure(): GoTask $connect
     */
    private function runOnce(Closure $connect, Options $options, OutputInterface $output): int
    {
        try {
            return $this->perform($connect(), $options->seconds('timeout'), $options, $output);
        } catch (GoTaskException|InvalidArgumentException|JsonException|ValueError $failure) {
            return self::failed($failure, $options, $output);
        }
    }

    /**
     * @return int the exit code
     */
    private static function failed(Throwable $failure, Options $options, OutputInterface $output): int
    {
        $options->flag('json') ? $output->writeln(self::asJson($failure), OutputInterface::OUTPUT_RAW) : self::show($failure, $output);

        return ExitCode::of($failure);
    }

    private static function asJson(Throwable $failure): string
    {
        $name = strrchr('\\' . $failure::class, '\\');
        $error = ['kind' => substr((string) $name, 1), 'message' => $failure->getMessage()];
        if ($failure instanceof RemoteError) {
            $error += ['type' => $failure->type, 'traceback' => $failure->traceback];
        }
        if ($failure instanceof CallFailed && $failure->data !== []) {
            $error['data'] = $failure->data;
        }

        return Json::line(['error' => $error]);
    }
}
