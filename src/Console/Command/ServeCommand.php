<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Command;

use InvalidArgumentException;
use Reasno\GoTask\Console\Addresses;
use Reasno\GoTask\Console\ConsoleLogger;
use Reasno\GoTask\Console\ExitCode;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\Exception\WorkerStartFailed;
use Reasno\GoTask\Process\Supervision\Announcer;
use Reasno\GoTask\Process\Supervision\FileWatch;
use Reasno\GoTask\Process\Supervision\Orphans;
use Reasno\GoTask\Process\Supervision\Supervisor;
use Reasno\GoTask\Process\WorkerProcess;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;
use ValueError;

use function function_exists;
use function in_array;

/**
 * `gotask serve APP`: keeps a worker running in the foreground.
 *
 * @internal
 */
final class ServeCommand extends Command
{
    /** Seconds that a reader of the log gets at the end. */
    private const LAST_WORDS = 1.0;

    protected function configure(): void
    {
        $this->setName('serve')
            ->setDescription('Run a Python app, and start it again whenever it ends')
            ->addArgument('app', InputArgument::REQUIRED, 'a Python file or module that registers services')
            ->addOption('address', 'a', InputOption::VALUE_REQUIRED | InputOption::VALUE_IS_ARRAY, 'unix:///path.sock or tcp://host:port; may be given several times [default: $GOTASK_ADDRESS or ' . Addresses::DEFAULT . ']')
            ->addOption('workers', 'w', InputOption::VALUE_REQUIRED, 'Python processes that run sync methods [default: $GOTASK_WORKERS or the number of processors]')
            ->addOption('async-workers', null, InputOption::VALUE_REQUIRED, 'Python processes that run async methods, where there are such [default: $GOTASK_ASYNC_WORKERS or 1]')
            ->addOption('python', 'p', InputOption::VALUE_REQUIRED, 'the interpreter [default: $GOTASK_PYTHON or the first that has what is needed]')
            ->addOption('start-timeout', null, InputOption::VALUE_REQUIRED, 'seconds until the app must be ready [default: $GOTASK_START_TIMEOUT or 60]')
            ->addOption('shutdown-timeout', null, InputOption::VALUE_REQUIRED, 'seconds that running calls get at the end [default: $GOTASK_SHUTDOWN_TIMEOUT or 30]')
            ->addOption('watch', null, InputOption::VALUE_NONE, 'for development: load the app again when a Python file below its folder changes')
            ->addOption('json', null, InputOption::VALUE_NONE, 'log as JSON lines')
            ->setHelp(<<<'HELP'
                SIGTERM or SIGINT (Ctrl-C) ends it after the running calls; a second one at once. SIGHUP, which <info>gotask reload</info> sends,
                loads the app again without a failed call; where that can't be, the old code goes on. It starts the app again, with a growing
                delay where it keeps ending, and never stops trying; but an app whose very first start fails for good ends it.

                The other settings are the Python side's, by its variables: GOTASK_LOG_LEVEL, GOTASK_MAX_PAYLOAD and so on;
                <info>python -m gotask --help</info> lists them.

                Exit codes: <info>0</info> ended as asked; <info>1</info> internal error; <info>2</info> wrong usage; <info>66</info> app not found; <info>69</info> no Python that has what is
                needed; <info>70</info> the app did not import or open; <info>73</info> an address can't be used.
                HELP);
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $options = new Options($input);
        $logger = new ConsoleLogger($output, $options->flag('json'));
        try {
            $worker = new WorkerProcess(
                $options->text('app') ?? '',
                $options->list('address') ?: Addresses::of(),
                $options->integer('workers'),
                $options->text('python'),
                $options->seconds('start-timeout') ?? 60.0,
                $options->seconds('shutdown-timeout') ?? 30.0,
                environment: $options->flag('watch') ? ['GOTASK_WATCH' => '1'] : [],
                logger: $logger,
                asyncWorkers: $options->integer('async-workers'),
            );
        } catch (InvalidArgumentException|ValueError $error) {
            $logger->error($error->getMessage());

            return ExitCode::USAGE;
        }
        $orphans = Orphans::areOurs() ? new Orphans() : null;
        $announcer = new Announcer($worker->addresses(), (int) getmypid());
        // With --watch somebody is at work on the app: a first start that fails is no reason to end.
        $watches = $options->flag('watch') || in_array(getenv('GOTASK_WATCH'), ['1', 'true'], true);
        $watch = $watches ? new FileWatch($options->text('app') ?? '', (string) getcwd()) : null;
        $supervisor = new Supervisor($worker, $logger, patient: $watches, tick: static function () use ($logger, $orphans, $worker): void {
            $logger->flush();
            $orphans?->reap([$worker->childPid()]);
        }, watch: $watch, announcer: $announcer);
        $this->heedSignals($supervisor);
        try {
            $supervisor->run();
        } catch (WorkerStartFailed $failure) {
            $logger->error($failure->getMessage());

            return $worker->exit()->code ?? ExitCode::FAILED;
        } finally {
            $announcer->close();
            $logger->flush(self::LAST_WORDS);
        }

        return ExitCode::OK;
    }

    private function heedSignals(Supervisor $supervisor): void
    {
        // Without the extension the first signal ends this process, and the worker with it.
        if (function_exists('pcntl_async_signals') && function_exists('pcntl_signal')) {
            pcntl_async_signals(true);
            foreach ([SIGTERM, SIGINT] as $signal) {
                pcntl_signal($signal, static fn () => $supervisor->stop());
            }
            $isInTerminal = stream_isatty(STDIN);
            pcntl_signal(SIGHUP, static function () use ($supervisor, $isInTerminal): void {
                if ($isInTerminal && ! stream_isatty(STDIN)) {
                    // The terminal was closed: what runs in its foreground ends with it.
                    $supervisor->stop();

                    return;
                }
                $supervisor->reload();
            });
        }
    }
}
