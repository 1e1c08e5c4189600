<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use Closure;
use Reasno\GoTask\Address;
use Reasno\GoTask\Console\Addresses;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Console\Terminal;
use Reasno\GoTask\Exception\CallEnded;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Throwable;
use ValueError;

/**
 * A command for running workers: which ones, and how what goes wrong is shown.
 *
 * @internal
 */
abstract class WorkerCommand extends Command
{
    /** Whether the command is for each of several workers, or of several addresses and machines; else one client has all addresses. */
    protected const FOR_EACH = false;

    /**
     * @param Closure(non-empty-list<Address|string>): GoTask $connect a client of the workers at some addresses
     */
    public function __construct(protected readonly Closure $connect)
    {
        parent::__construct();
    }

    protected function configure(): void
    {
        $this->addOption('address', 'a', InputOption::VALUE_REQUIRED, 'unix:///path.sock or tcp://host:port; several with commas between [default: $GOTASK_ADDRESS or ' . Addresses::DEFAULT . ']')
            ->addOption('timeout', 't', InputOption::VALUE_REQUIRED, 'seconds to wait for an answer [default: $GOTASK_TIMEOUT or 30]')
            ->setHelp(ExitCode::HELP);
    }

    /**
     * The worker that the command calls.
     */
    protected function client(Options $options): GoTask
    {
        return ($this->connect)(Addresses::of($options->text('address')));
    }

    /**
     * What the command is carried out for, where that is several workers.
     *
     * @return array<string, array{array<string, string>, Closure(): GoTask}> for each the options and a client, by a name for it
     * @throws InvalidConfiguration|ValueError
     */
    protected function targets(Options $options): array
    {
        return array_map(
            fn (Address|string $machine): array => [['address' => (string) $machine], fn (): GoTask => ($this->connect)([$machine])],
            Addresses::machines(Addresses::of($options->text('address'))),
        );
    }

    protected static function show(Throwable $failure, OutputInterface $output): void
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
}
