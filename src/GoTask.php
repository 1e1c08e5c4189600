<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Closure;
use Generator;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\ParallelFailed;
use ValueError;

/**
 * Calls methods of a Python worker.
 *
 *     $task->call('App.Hi', 'Reasno');                       // ["hello" => "Reasno"]
 *     $task->service('App')->hi('Reasno');                   // the same
 *
 * A method is `Service.method`, or the name of a function; 1 to 255 bytes. The payload is its first argument, whole; where the
 * method requires more than one, a list is spread over them, or a map by their names. `new Args('Jo', last: 'Li')` always passes
 * exactly these arguments, `new Raw($bytes)` bytes that no codec touches, `null` nothing to a method without parameters.
 *
 * A timeout is seconds, more than 0; null stands for the client's default. When it is over the caller gets a DeadlineExceeded, the
 * worker is told to stop, and a late answer is dropped. A method never runs twice on its own, unless it is declared idempotent
 * in Python: any other call is sent again only when it has certainly not run.
 *
 * Many callers can use one instance at the same time: coroutines, fibers, and in plain PHP callAsync() and parallel().
 */
interface GoTask
{
    /**
     * Runs a method and waits for its result.
     *
     * @param null|float $timeout seconds
     * @param null|Closure(Progress): mixed $onProgress is told how far the method says that it is, while the result is waited for; what it throws cancels the call
     * @param null|iterable<mixed>|resource $input what the method reads as `gotask.current_call().input`, element by element; a stream in pieces of 64 KiB
     * @param null|int|string $key calls with the same key go to the same worker while it is there, for what it keeps in its memory
     * @param array<array-key, string> $headers what the method reads as `gotask.current_call().headers`; UTF-8, at most 8192 bytes as JSON
     * @throws GoTaskException
     */
    public function call(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): mixed;

    /**
     * Starts a call, and does not wait for its answer. What the peer does not take at once is sent while somebody waits for an answer.
     * The result, or what went wrong on the way, is told by the future.
     *
     * The timeout counts from now, not from when the future is awaited.
     *
     * @param null|float $timeout seconds
     * @param null|Closure(Progress): mixed $onProgress as for call(), while the future is awaited
     * @param null|iterable<mixed>|resource $input as for call(); read while the future is awaited
     * @param null|int|string $key as for call()
     * @param array<array-key, string> $headers as for call()
     * @throws GoTaskException when the call can't be sent
     */
    public function callAsync(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): Future;

    /**
     * Runs a method that yields, and gives what it yields element by element as it is produced. The call is sent at once; a slow reader
     * slows the method down. To leave the loop, or to let go of the generator, cancels the call.
     *
     *     foreach ($task->stream('Report.Rows', 2024) as $row) { … }
     *
     * An exception in Python is thrown after the elements before it. What the method returns is the generator's return value.
     *
     * @param null|float $timeout seconds to wait for each next element
     * @param null|Closure(Progress): mixed $onProgress as for call(), while the next element is waited for
     * @param null|iterable<mixed>|resource $input as for call()
     * @param null|int|string $key as for call()
     * @param array<array-key, string> $headers as for call()
     * @return Generator<int, mixed, mixed, mixed>
     * @throws GoTaskException when the call can't be sent
     */
    public function stream(string $method, mixed $payload = null, ?float $timeout = null, ?Closure $onProgress = null, mixed $input = null, null|int|string $key = null, array $headers = []): Generator;

    /**
     * Runs many calls at the same time and waits for all of them.
     *
     *     [$hi, $bye] = $task->parallel([['App.Hi', 'Jo'], ['App.Bye', 'Jo']]);
     *
     * The calls begin in their order. Those of an array are gathered into few writes. One that a generator gives is sent before the
     * generator is asked for the next; but where several are answered at a time, those that take their places leave together, as long as
     * the generator has given each within 1 ms. Over several addresses or connections calls arrive in any order, and they end in any
     * order, also when some fail. Where no connection can be opened, all that would have been sent meanwhile fail at once.
     *
     * @template TKey of array-key
     * @param iterable<TKey, array{0: string, 1?: mixed}> $calls pairs of method and payload; read as places become free
     * @param null|int $concurrency how many may be under way at the same time, at least 1; null: 256
     * @param null|float $timeout seconds, for each call from when it is sent
     * @param bool $throw false: the exception of a call that fails stands in the place of its result
     * @return array<TKey, mixed> the results, under the keys of the calls and in their order
     * @throws ParallelFailed when all have ended and one has failed; it holds the results and the errors
     * @throws ValueError when a call is no such pair, or two of them have one key (`yield from` numbers each source anew); those under way are cancelled
     */
    public function parallel(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): array;

    /**
     * Runs many calls at the same time, and gives the result of each when it is there, under the key of its call. They begin when the
     * generator is first asked. To leave the loop cancels those that are under way.
     *
     *     foreach ($task->completed(['a' => ['Images.Scale', 'a.png'], 'b' => ['Images.Scale', 'b.png']]) as $name => $image) { … }
     *
     * Nothing is kept of the calls that have ended, so a generator may give any number of them.
     *
     * @template TKey
     * @param iterable<TKey, array{0: string, 1?: mixed}> $calls as for parallel(); read as places become free
     * @param null|int $concurrency as for parallel()
     * @param null|float $timeout seconds, for each call from when it is sent
     * @param bool $throw whether the first exception of a call is thrown, and the others are cancelled; false: it stands in the place of the result
     * @return Generator<TKey, mixed>
     * @throws GoTaskException
     * @throws ValueError when a call is no such pair
     */
    public function completed(iterable $calls, ?int $concurrency = null, ?float $timeout = null, bool $throw = true): Generator;

    /**
     * Hands a call over and returns once the worker has accepted it, without waiting for it to run.
     *
     * What the method returns is dropped; if it fails, the worker logs that.
     *
     * Durable, it returns once Celery's broker has the call: that survives the end of every process here, runs at least once, and its
     * outcome() can be asked for later. Only for methods with `executor="celery"`; see docs/beyond-one-machine.md.
     *
     * @param null|int|string $key as for call()
     * @param array<array-key, string> $headers as for call()
     * @return ($durable is true ? string : null) the id of a durable call
     * @throws GoTaskException when it was not accepted
     */
    public function notify(string $method, mixed $payload = null, null|int|string $key = null, array $headers = [], bool $durable = false): ?string;

    /**
     * What has become of a durable call, asked from any process. It is known for as long as Celery keeps results (`result_expires`, a day).
     *
     * @param string $id from notify()
     * @throws GoTaskException when that can't be asked
     */
    public function outcome(string $id): Outcome;

    /**
     * The methods of one Python service as methods of an object.
     *
     * @param string $name such as `App`
     */
    public function service(string $name): Service;

    /**
     * Generated classes say what they were made from: a warning is logged, once, where the worker has other methods.
     *
     * @param string $signatures as Hello tells them
     */
    public function expectSignatures(string $signatures): void;
}
