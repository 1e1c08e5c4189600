<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Closure;
use InvalidArgumentException;
use JsonException;
use Reasno\GoTask\Console\Addresses;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Json;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Exception\CallEnded;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\BufferedOutput;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Throwable;
use ValueError;

use function count;

/**
 * A command that calls a running worker: what such have in common.
 *
 * @internal
 */
abstract class ClientCommand extends Command
{
    /** Whether it is carried out for each of several addresses; else one client has all of them. */
    protected const FOR_EACH = false;

    /**
     * @param Closure(non-empty-list<string>): GoTask $connect a client of the workers at some addresses
     */
    public function __construct(private readonly Closure $connect)
    {
        parent::__construct();
    }

    protected function configure(): void
    {
        $this->addOption('address', 'a', InputOption::VALUE_REQUIRED, 'unix:///path.sock or tcp://host:port; several with commas between [default: $GOTASK_ADDRESS or ' . Addresses::DEFAULT . ']')
            ->addOption('timeout', 't', InputOption::VALUE_REQUIRED, 'seconds to wait for an answer [default: $GOTASK_TIMEOUT or 30]')
            ->addOption('json', null, InputOption::VALUE_NONE, 'one JSON document, for programs; a failure is {"error": {…}}')
            ->setHelp(ExitCode::HELP);
    }

    /**
     * @param null|float $timeout seconds for each call; null: the client's own
     * @return int the exit code
     */
    abstract protected function perform(GoTask $task, ?float $timeout, Options $options, OutputInterface $output): int;

    /**
     * The worker that the command calls.
     */
    protected function client(Options $options): GoTask
    {
        return ($this->connect)(Addresses::of($options->text('address')));
    }

    /**
     * @return non-empty-list<string>
     */
    protected function addresses(Options $options): array
    {
        return Addresses::of($options->text('address'));
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $options = new Options($input);
        try {
            $addresses = static::FOR_EACH ? $this->addresses($options) : [];
        } catch (InvalidConfiguration $failure) {
            return self::failed($failure, $options, $output);
        }

        return count($addresses) > 1 ? $this->runForEach($addresses, $input, $output) : $this->runOnce($options, $output);
    }

    /**
     * @param list<string> $addresses
     * @return int the highest of the exit codes
     */
    private function runForEach(array $addresses, InputInterface $input, OutputInterface $output): int
    {
        $options = new Options($input);
        $code = ExitCode::OK;
        $documents = [];
        foreach ($addresses as $place => $address) {
            $input->setOption('address', $address);
            if ($options->flag('json')) {
                $document = new BufferedOutput();
                $code = max($code, $this->runOnce($options, $document));
                $documents[] = Json::line($address) . ':' . trim($document->fetch());
                continue;
            }
            $output->writeln(($place === 0 ? '' : "\n") . '<options=bold>' . Terminal::line($address) . '</>');
            $code = max($code, $this->runOnce($options, $output));
        }
        if ($options->flag('json')) {
            $output->writeln('{' . implode(',', $documents) . '}', OutputInterface::OUTPUT_RAW);
        }

        return $code;
    }

    private function runOnce(Options $options, OutputInterface $output): int
    {
        try {
            return $this->perform($this->client($options), $options->seconds('timeout'), $options, $output);
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

    private static function show(Throwable $failure, OutputInterface $output): void
    {
        $errors = $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : $output;
        $errors->writeln('<fg=red>' . Terminal::text($failure->getMessage()) . '</>');
        $python = match (true) {
            $failure instanceof RemoteError => $failure->traceback,
            $failure instanceof CallEnded => $failure->stack,
            default => '',
        };
        if ($python !== '') {
            $errors->writeln(Terminal::text(rtrim($python)));
        }
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
