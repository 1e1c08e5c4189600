<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Bench;

use Closure;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Process\InterpreterFinder;
use Reasno\GoTask\Process\WorkerProcess;

use function assert;
use function count;
use function dirname;

/**
 * What calls cost, beside what the same client does to a bare echo server in the same run.
 *
 * Processors differ and machines are noisy: the ratios say more than the figures, so all contenders take turns.
 *
 * @internal
 */
final class Benchmark
{
    private const ROUNDS = 5;
    private const MIB = 1_048_576;
    private const BODY = 60 * self::MIB;
    private const DEPTH = 128;

    /** MiB that may stay after large calls, and the seconds until the rest is to be gone. */
    private const KEPT = 8.0;

    private const LET_GO = 10.0;

    /** Four bytes of payload, which with a method of four make a frame of 36 bytes. */
    private const PAYLOAD = 'abc';

    /**
     * @param int $calls one at a time, for each contender
     * @param null|string $python the interpreter; null: as WorkerProcess finds it
     * @param Closure(string): void $progress is told what is measured next
     */
    public function __construct(
        private readonly int $calls,
        private readonly ?string $python,
        private readonly Closure $progress,
    ) {
    }

    /**
     * @return list<Figure>
     * @throws GoTaskException
     */
    public function run(): array
    {
        ($this->progress)('memory and processor of an idle worker');
        $figures = $this->idle();

        $worker = $this->worker('app.py');
        $echo = new EchoServer((new InterpreterFinder($this->python))->candidates()[0]);
        $bare = new Client($echo->address, maxConnections: 1);
        $task = new Client($worker->address(), maxConnections: 1, timeout: 120.0);
        $contenders = ['echo' => [$bare, 'echo'], 'inline' => [$task, 'back'], 'worker' => [$task, 'echo']];

        ($this->progress)('one call at a time');
        $alone = $this->rounds($contenders, $this->median(...));
        ($this->progress)(self::DEPTH . ' calls at a time');
        $together = $this->rounds($contenders, $this->rate(...));
        ($this->progress)('60 MiB there and back');
        $large = $this->large($task);
        $worker->stop();

        return [
            new Figure('alone_echo_us', 'one at a time, p50: bare echo', $alone['echo'], 'µs'),
            new Figure('alone_inline_us', 'one at a time, p50: inline method', $alone['inline'], 'µs'),
            new Figure('alone_worker_us', 'one at a time, p50: through a worker', $alone['worker'], 'µs'),
            new Figure('alone_inline_ratio', '    inline ÷ echo', $alone['inline'] / $alone['echo'], '', atMost: 1.25),
            new Figure('alone_worker_ratio', '    worker ÷ echo', $alone['worker'] / $alone['echo'], '', atMost: 1.6),
            new Figure('together_echo', '128 at a time: bare echo', $together['echo'], 'calls/s'),
            new Figure('together_inline', '128 at a time: inline method', $together['inline'], 'calls/s'),
            new Figure('together_worker', '128 at a time: through one worker', $together['worker'], 'calls/s'),
            new Figure('together_inline_ratio', '    inline ÷ echo', $together['inline'] / $together['echo'], '', atLeast: 0.6),
            new Figure('together_worker_ratio', '    worker ÷ echo', $together['worker'] / $together['echo'], '', atLeast: 0.35),
            ...$large,
            ...$figures,
        ];
    }

    /**
     * @return list<Figure>
     */
    private function idle(): array
    {
        $worker = $this->worker('empty.py');
        $task = new Client($worker->address());
        $task->call('nothing');
        $pids = self::pids($task);
        $before = Usage::processor($pids);
        usleep(1_000_000);
        $figures = [
            new Figure('resident_mib', 'broker and one worker, resident', Usage::resident($pids), 'MiB', atMost: 45.0),
            new Figure('proportional_mib', '    what they share counted once', Usage::proportional($pids), 'MiB'),
            new Figure('idle_ms', 'processor time in an idle second', 1000 * (Usage::processor($pids) - $before), 'ms', atMost: 0.0),
        ];
        $worker->stop();

        return $figures;
    }

    /**
     * @return list<Figure>
     */
    private function large(Client $task): array
    {
        $pids = self::pids($task);
        $before = Usage::resident($pids);
        $body = new Bytes(str_repeat("\0\1\2\3", intdiv(self::BODY, 4)));
        $rates = [];
        for ($round = 0; $round <= self::ROUNDS; $round++) {
            $started = hrtime(true);
            $answer = $task->call('echo', $body);
            $rates[] = 2 * self::BODY / 1e6 / ((hrtime(true) - $started) / 1e9);
            assert($answer === $body->bytes);
            unset($answer);
        }
        array_shift($rates); // The first one warms up.
        sort($rates);
        // Buffers are kept for a moment, as the next large call often follows soon.
        for ($waited = 0.0; ($left = Usage::resident($pids) - $before) > self::KEPT && $waited < self::LET_GO; $waited += 0.1) {
            usleep(100_000);
        }

        return [
            new Figure('large_mb_s', '60 MiB there and back', $rates[intdiv(self::ROUNDS, 2)], 'MB/s', atLeast: 300.0),
            new Figure('large_left_mib', '    memory left in broker and worker', max(0.0, $left), 'MiB', atMost: self::KEPT),
        ];
    }

    /**
     * Each contender in turn, round after round.
     *
     * @param array<string, array{GoTask, string}> $contenders
     * @param Closure(GoTask, string): float $measure
     * @return array<string, float> the median of each
     */
    private function rounds(array $contenders, Closure $measure): array
    {
        $values = [];
        for ($round = 0; $round < self::ROUNDS; $round++) {
            foreach ($contenders as $name => [$task, $method]) {
                $values[$name][] = $measure($task, $method);
            }
        }

        return array_map(static function (array $of): float {
            sort($of);

            return $of[intdiv(count($of), 2)];
        }, $values);
    }

    /**
     * @return float microseconds of a call, p50
     */
    private function median(GoTask $task, string $method): float
    {
        $calls = max(1, intdiv($this->calls, self::ROUNDS));
        $times = [];
        for ($call = -intdiv($calls, 10); $call < $calls; $call++) {
            $started = hrtime(true);
            $task->call($method, self::PAYLOAD);
            $times[] = hrtime(true) - $started;
        }
        sort($times);

        return $times[intdiv(count($times), 2)] / 1000;
    }

    /**
     * @return float calls in a second
     */
    private function rate(GoTask $task, string $method): float
    {
        $calls = max(self::DEPTH, 2 * $this->calls);
        $started = hrtime(true);
        $task->parallel((static function () use ($calls, $method): iterable {
            for ($call = 0; $call < $calls; $call++) {
                yield [$method, self::PAYLOAD];
            }
        })(), self::DEPTH);

        return $calls / ((hrtime(true) - $started) / 1e9);
    }

    private function worker(string $app): WorkerProcess
    {
        $worker = new WorkerProcess(dirname(__DIR__, 3) . "/bench/{$app}", workers: 1, python: $this->python);
        $worker->start();

        return $worker;
    }

    /**
     * @return list<int> the broker and its workers
     */
    private static function pids(GoTask $task): array
    {
        /** @var array{pid: int, workers: list<array{pid: int}>} $status */
        $status = $task->call('GoTask.Status');

        return [$status['pid'], ...array_column($status['workers'], 'pid')];
    }
}
