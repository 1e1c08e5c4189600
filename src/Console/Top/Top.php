<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Top;

use Reasno\GoTask\Console\Figures;
use Reasno\GoTask\Console\TypedMap;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Future;
use Reasno\GoTask\GoTask;
use Symfony\Component\Console\Formatter\OutputFormatterInterface;
use Throwable;
use ValueError;

use function array_map;
use function date;
use function hrtime;
use function implode;
use function max;
use function rtrim;

/**
 * Looks at workers again and again, and does what someone at the terminal asks for.
 *
 * @internal
 * @phpstan-import-type Row from Activity
 */
final class Top
{
    /** Seconds that a worker gets to say how it is; keys wait for that, too. */
    private const PATIENCE = 1.0;

    private readonly View $view;

    /** @var array<string, Activity> by worker */
    private array $workers = [];

    /**
     * @param array<string, GoTask> $clients of the workers, by the names that are shown
     * @param float $timeout seconds for what is done to a process
     */
    public function __construct(private readonly array $clients, private readonly float $timeout)
    {
        $this->view = new View();
    }

    /**
     * One frame of what goes on for so many seconds from now, as long as it needs to be.
     *
     * @return list<string> with Symfony's tags
     */
    public function once(float $interval, int $width): array
    {
        $this->look();
        usleep((int) ($interval * 1e6));
        $this->look();

        return Screen::lines($this->workers, $this->view, $width, null);
    }

    /**
     * @return bool whether all workers answered at last
     */
    public function isWell(): bool
    {
        return array_filter($this->workers, static fn (Activity $worker): bool => $worker->failure !== '') === [];
    }

    /**
     * Until someone quits.
     *
     * @param float $interval seconds between two looks
     */
    public function run(LiveTerminal $terminal, OutputFormatterInterface $formatter, float $interval): void
    {
        while (! $terminal->hasEnded()) {
            $this->look();
            $next = self::now() + $interval;
            do {
                [$width, $lines] = $terminal->size();
                $terminal->show(array_map(static fn (string $line): string => (string) $formatter->format($line), Screen::lines($this->workers, $this->view, $width, $lines)));
                foreach ($terminal->keys(max(0.0, $next - self::now())) as $key) {
                    [$action, $process] = $this->view->press($key, Screen::processes($this->workers, $this->view));
                    if ($action === 'quit') {
                        return;
                    }
                    if ($process !== null) {
                        $this->act($action, $process);
                        $next = 0.0;
                    }
                }
            } while (self::now() < $next && ! $terminal->hasEnded());
        }
    }

    /** All workers are asked at the same time. */
    private function look(): void
    {
        $answers = array_map(static fn (GoTask $client): Future|Throwable => self::tried(
            static fn (): Future => $client->callAsync('GoTask.Status', null, self::PATIENCE),
        ), $this->clients);
        foreach ($answers as $worker => $answer) {
            $status = $answer instanceof Future ? self::tried($answer->await(...)) : $answer;
            $failure = $status instanceof Throwable ? $status->getMessage() : '';
            $this->workers[$worker] = new Activity($worker, self::now(), TypedMap::of($failure === '' ? $status : null), $failure, $this->workers[$worker] ?? null);
        }
    }

    /**
     * @param Row $process
     */
    private function act(string $action, array $process): void
    {
        $client = $this->clients[(string) $process['worker']];
        $pid = (int) $process['pid'];
        [$method, $payload] = match ($action) {
            'stack' => ['GoTask.Dump', ['pid' => $pid]],
            'failures' => ['GoTask.Failures', null],
            default => ['GoTask.Recycle', ['pid' => $pid, 'kill' => $action === 'kill']],
        };
        $answer = self::tried(fn (): mixed => $client->call($method, $payload, $this->timeout));
        if ($answer instanceof Throwable) {
            $this->view->message = $answer->getMessage();
        } elseif ($action === 'stack') {
            $this->view->read("The Python stacks of {$pid}\n\n" . implode("\n", array_map(static fn (TypedMap $dump): string => $dump->text('stacks'), TypedMap::list($answer))));
        } elseif ($action === 'failures') {
            $failures = array_map(self::failure(...), TypedMap::list($answer));
            $this->view->read($failures === [] ? 'No call has failed so far' : "The last failures, newest first\n\n" . implode("\n\n", $failures));
        } else {
            $this->view->message = $action === 'kill' ? "{$pid} was killed" : "{$pid} is replaced after the calls that it has";
        }
    }

    private static function failure(TypedMap $failure): string
    {
        return date('Y-m-d H:i:s', (int) $failure->number('time')) . " {$failure->shown('method')} in process {$failure->shown('pid')}, after "
            . Figures::time($failure->number('seconds')) . "\n"
            . ($failure->text('traceback') === '' ? "{$failure->text('code')}: {$failure->text('message')}" : rtrim($failure->text('traceback')));
    }

    /**
     * @template T
     * @param callable(): T $do
     * @return GoTaskException|T|ValueError what it gives, or why it gives nothing
     */
    private static function tried(callable $do): mixed
    {
        try {
            return $do();
        } catch (GoTaskException|ValueError $failure) {
            // That it could not be connected to says more than that the time was over.
            $cause = $failure->getPrevious();

            return $failure instanceof DeadlineExceeded && $cause instanceof ConnectFailed ? $cause : $failure;
        }
    }

    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }
}
