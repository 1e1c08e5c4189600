<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use ArrayObject;
use Closure;
use DomainException;
use Error;
use Exception;
use Generator;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Exception\InvalidResult;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Exception\WorkerCrashed;
use Reasno\GoTask\Progress;
use stdClass;
use Throwable;
use ValueError;

use function array_map;
use function array_slice;
use function count;
use function fclose;
use function file_get_contents;
use function fopen;
use function function_exists;
use function fwrite;
use function hash;
use function is_int;
use function iterator_to_array;
use function memory_get_usage;
use function random_bytes;
use function range;
use function rewind;
use function str_repeat;
use function strlen;

/**
 * Streams in both directions and progress: run once per runtime.
 */
abstract class StreamContract extends ExchangeTestCase
{
    #[TestWith(['Rows.count'])]
    #[TestWith(['Rows.count_async'])]
    #[TestWith(['Rows.list'])]
    public function testElementsArriveInTheirOrder(string $method): void
    {
        $this->with(static function (Client $client) use ($method): void {
            foreach ([0, 1, 3, 20_000] as $count) {
                self::assertSame($count === 0 ? [] : range(0, $count - 1), iterator_to_array($client->stream($method, $count)));
            }
        });
    }

    public function testWhatTheMethodReturnsIsTheReturnValue(): void
    {
        $this->with(static function (Client $client): void {
            $rows = $client->stream('Rows.count', 7);
            self::assertSame(21, array_sum(iterator_to_array($rows)));
            self::assertSame(7, $rows->getReturn());
        });
    }

    public function testASlowReaderSlowsTheMethodAndNothingElse(): void
    {
        $this->with(function (Client $client): void {
            $rows = $client->stream('Rows.produced', [2_000, $this->path]);
            self::assertSame(1024, self::length($rows->current()));
            $others = 0;
            do {
                $produced = strlen((string) file_get_contents($this->path));
                for ($i = 0; $i < 100; $i++) {
                    $others += count((array) $client->call('Rows.list', 1));
                }
            } while ($produced !== strlen((string) file_get_contents($this->path)));
            self::assertSame(0, $others % 100);
            self::assertGreaterThan(100, $produced);
            self::assertLessThan(400, $produced);
            self::assertCount(2_000, iterator_to_array($rows));
        });
    }

    public function testALongStreamIsReadInFlatMemory(): void
    {
        $this->with(static function (Client $client): void {
            $most = $bytes = 0;
            foreach ($client->stream('Rows.large', [6_000, 8_192]) as $row) {
                $bytes += self::length($row);
                $before ??= memory_get_usage();
                $most = max($most, memory_get_usage() - $before);
            }
            self::assertSame(6_000 * 8_192, $bytes);
            self::assertLessThan(2_000_000, $most);
        });
    }

    public function testAnElementLargerThanTheWindow(): void
    {
        $this->with(static function (Client $client): void {
            $sizes = [];
            foreach ($client->stream('Rows.large', [3, 1_000_000]) as $row) {
                $sizes[] = self::length($row);
            }
            self::assertSame([1_000_000, 1_000_000, 1_000_000], $sizes);
        });
    }

    #[TestWith(['Rows.endless'])]
    #[TestWith(['Rows.endless_async'])]
    public function testToLeaveTheLoopEndsTheMethod(string $method): void
    {
        $this->with(function (Client $client) use ($method): void {
            foreach ($client->stream($method, $this->path) as $number) {
                if ($number === 10) {
                    break;
                }
            }
            $this->assertEnded();

            // It waits until more may be sent, for a reader that has read one.
            $rows = $client->stream($method, $this->path);
            self::assertSame(0, $rows->current());
            unset($rows);
            $this->assertEnded();

            try {
                foreach ($client->stream($method, $this->path) as $number) {
                    throw new DomainException(is_int($number) ? 'as told' : 'no number');
                }
            } catch (DomainException) {
            }
            $this->assertEnded();
            self::assertSame([0], $client->call('Rows.list', 1));
        });
    }

    public function testAGeneratorThatIsNeverAskedIsAStreamThatIsLetGoOf(): void
    {
        $this->with(function (Client $client): void {
            $rows = $client->stream('Rows.endless', $this->path);
            self::assertSame([0], $client->call('Rows.list', 1));
            unset($rows);
            // Also when it had not begun; then its `finally` has not either.
            self::assertSame(range(0, 2), iterator_to_array($client->stream('Rows.count', 3)));
            self::assertSame(0, $client->stream('Rows.count', 3)->current());
        });
    }

    public function testAGeneratorIsReadOnceAndNotCloned(): void
    {
        $this->with(static function (Client $client): void {
            $rows = $client->stream('Rows.count', 3);
            self::assertSame([0, 1, 2], iterator_to_array($rows));
            self::assertInstanceOf(Exception::class, self::thrown(static fn (): array => iterator_to_array($rows)));
            self::assertInstanceOf(Error::class, self::thrown(static fn (): Generator => clone $client->stream('Rows.count', 3)));
        });
    }

    public function testAnExceptionComesAfterTheElementsBeforeIt(): void
    {
        $this->with(static function (Client $client): void {
            [$elements, $thrown] = self::read($client->stream('Rows.fail_after', 1_000));
            self::assertSame(range(0, 999), $elements);
            self::assertInstanceOf(RemoteError::class, $thrown);
            self::assertSame('ValueError', $thrown->type);
        });
    }

    public function testAWorkerThatDiesInTheMiddle(): void
    {
        $this->with(static function (Client $client): void {
            [$elements, $thrown] = self::read($client->stream('Rows.die_after', 1_000));
            self::assertSame(range(0, 999), $elements);
            self::assertInstanceOf(WorkerCrashed::class, $thrown);
        });
    }

    public function testALostConnectionEndsAStream(): void
    {
        $this->with(function (Client $client): void {
            $rows = $client->stream('Rows.endless', $this->path);
            self::assertSame(0, $rows->current());
            $client->close();
            [, $thrown] = self::read($rows);
            self::assertInstanceOf(ConnectionLost::class, $thrown);
            $this->assertEnded();
        });
    }

    public function testNoNextElementInTimeEndsTheCall(): void
    {
        $this->with(function (Client $client): void {
            $rows = $client->stream('Rows.stall_after', [3, $this->path], 0.3);
            self::assertSame(0, $rows->current());
            $until = hrtime(true) + 0.6e9;
            while (hrtime(true) < $until) {
                self::assertSame([0], $client->call('Rows.list', 1));
            }
            // Its time runs only while it is waited for.
            self::assertSame('', file_get_contents($this->path));
            $since = hrtime(true);
            [$elements, $thrown] = self::read($rows);
            self::assertSame([0, 1, 2], $elements);
            self::assertInstanceOf(DeadlineExceeded::class, $thrown);
            self::assertLessThan(10e9, hrtime(true) - $since);
            $this->assertEnded();
        });
    }

    public function testNoNextElementInTimeWhileAnotherReadsForAll(): void
    {
        if (static::oneAtATime()) {
            $this->expectNotToPerformAssertions();

            return;
        }
        $this->with(function (Client $client): void {
            $call = $client->callAsync('Work.wait_async', 60.0);
            $this->concurrently([
                static function () use ($call): void {
                    self::assertInstanceOf(Cancelled::class, self::thrown($call->await(...)));
                },
                function () use ($client, $call): void {
                    $rows = $client->stream('Rows.stall_after', [1, $this->path], 0.5);
                    self::assertSame(0, $rows->current());
                    // Who reads waits for the other call alone by then.
                    for ($until = hrtime(true) + 0.6e9; hrtime(true) < $until;) {
                        static::pause();
                    }
                    self::assertInstanceOf(DeadlineExceeded::class, self::thrown($rows->next(...)));
                    self::assertFalse($call->isComplete());
                    $call->cancel();
                },
            ]);
        });
    }

    public function testStreamsShareAConnection(): void
    {
        $this->with(function (Client $client): void {
            $unread = $client->stream('Rows.large', [1_000, 4_096]);
            self::assertSame(4_096, self::length($unread->current()));
            $sums = $this->concurrently(array_map(static fn (int $count): Closure => static function () use ($client, $count): int {
                $sum = 0;
                foreach ($client->stream('Rows.count_async', $count) as $number) {
                    self::assertIsInt($number);
                    $sum += $number;
                    if ($number % 1000 === 0) {
                        self::assertSame([0], $client->call('Rows.list', 1));
                    }
                }

                return $sum;
            }, [5_000, 10_000, 20_000]));
            self::assertSame([12_497_500, 49_995_000, 199_990_000], $sums);
            self::assertCount(1_000, iterator_to_array($unread));
        });
    }

    public function testTwoStreamsInTurn(): void
    {
        $this->with(static function (Client $client): void {
            $second = $client->stream('Rows.count_async', 5_000);
            foreach ($client->stream('Rows.count', 5_000) as $number) {
                self::assertSame($number, $second->current());
                $second->next();
            }
            self::assertFalse($second->valid());
        });
    }

    public function testWhatIsNoStream(): void
    {
        $this->with(static function (Client $client): void {
            self::assertInstanceOf(InvalidResult::class, self::read($client->stream('Work.steps', 1))[1]);
            self::assertInstanceOf(MethodNotFound::class, self::read($client->stream('Rows.nothing', 1))[1]);
            $thrown = self::thrown(static fn (): mixed => $client->call('Rows.count', 1));
            self::assertInstanceOf(InvalidResult::class, $thrown);
            self::assertStringContainsString('stream()', $thrown->getMessage());
        });
    }

    #[TestWith(['Work.steps'])]
    #[TestWith(['Work.steps_async'])]
    public function testProgressIsToldInItsOrder(string $method): void
    {
        $this->with(static function (Client $client) use ($method): void {
            $told = [];
            self::assertSame(10, $client->call($method, 10, onProgress: static function (Progress $progress) use (&$told): void {
                $told[] = $progress;
            }));
            self::assertEquals(array_map(static fn (int $i): Progress => new Progress($i / 10, "step {$i}", ['number' => $i]), range(0, 9)), $told);
            self::assertSame(3, $client->call($method, 3));
        });
    }

    public function testAFutureKnowsTheNewestProgress(): void
    {
        $this->with(function (Client $client): void {
            $told = [];
            $future = $client->callAsync('Work.steps', 5, onProgress: static function (Progress $progress) use (&$told): void {
                $told[] = $progress->text;
            });
            $until = hrtime(true) + 5e9;
            while ($future->progress()?->text !== 'step 4' && hrtime(true) < $until) {
                static::pause();
            }
            self::assertSame('step 4', $future->progress()?->text);
            self::assertSame('', implode(', ', $told));
            self::assertSame(5, $future->await());
            self::assertSame('step 0, step 1, step 2, step 3, step 4', implode(', ', $told));
            self::assertNull($client->callAsync('Work.steps', 5)->progress());
        });
    }

    public function testWhatACallbackThrowsCancelsTheCall(): void
    {
        $this->with(function (Client $client): void {
            $throw = static fn (Progress $progress): mixed => throw new DomainException($progress->text);
            self::assertEquals(new DomainException('begun'), self::thrown(fn (): mixed => $client->call('Work.hang', $this->path, onProgress: $throw)));
            $this->assertEnded();
            $future = $client->callAsync('Work.hang', $this->path, onProgress: $throw);
            self::assertEquals(new DomainException('begun'), self::thrown($future->await(...)));
            $this->assertEnded();
            [$elements, $thrown] = self::read($client->stream('Work.between', 3, onProgress: $throw));
            self::assertSame([[], ''], [$elements, $thrown?->getMessage()]);
        });
    }

    public function testProgressComesBetweenTheElementsOfAStream(): void
    {
        $this->with(static function (Client $client): void {
            $told = [];
            foreach ($client->stream('Work.between', 5, onProgress: static function (Progress $progress) use (&$told): void {
                $told[] = 'progress ' . (int) round(5 * (float) $progress->fraction);
            }) as $number) {
                $told[] = $number;
            }
            self::assertSame(['progress 0', 0], array_slice($told, 0, 2));
            self::assertSame([0, 1, 2, 3, 4], array_values(array_filter($told, is_int(...))));
            self::assertCount(10, $told);
        });
    }

    #[TestWith(['Inputs.list'])]
    #[TestWith(['Inputs.list_async'])]
    public function testAnInputIsReadAsItIsGiven(string $method): void
    {
        $this->with(static function (Client $client) use ($method): void {
            self::assertSame(['x'], $client->call($method, 'x', input: []));
            self::assertSame(['x', 1, 'two', ['three' => 3]], $client->call($method, 'x', input: [1, 'two', ['three' => 3]]));
            $generator = static function (int $count): Generator {
                for ($i = 0; $i < $count; $i++) {
                    yield 'key' => $i;
                }
            };
            self::assertSame(['x', ...range(0, 49_999)], $client->call($method, 'x', input: $generator(50_000)));
            self::assertSame(['x', 'a', 'b'], $client->callAsync($method, 'x', input: new ArrayObject(['a', 'b']))->await());
        });
    }

    public function testEachElementOfASlowInputIsSentBeforeTheNextOneIsThere(): void
    {
        $this->with(function (Client $client): void {
            $slow = function (): Generator {
                for ($number = 0; $number < 20; $number++) {
                    $until = hrtime(true) + 10e9;
                    for ($wait = 0; $wait < 3 || strlen((string) file_get_contents($this->path)) < $number; $wait++) {
                        self::assertLessThan($until, hrtime(true), "{$number} is waited for, and the one before has not come.");
                        static::pause();
                    }
                    yield $number;
                }
            };
            self::assertSame(range(0, 38, 2), iterator_to_array($client->stream('Inputs.doubled', $this->path, input: $slow())));
        });
    }

    public function testAFileIsSentInFlatMemory(): void
    {
        $this->with(static function (Client $client): void {
            $file = fopen('php://temp/maxmemory:1048576', 'r+') ?: throw new DomainException('No file.');
            for ($i = 0; $i < 20; $i++) {
                fwrite($file, str_repeat(random_bytes(1024), 1024));
            }
            rewind($file);
            $hash = hash_init('sha256');
            hash_update_stream($hash, $file);
            rewind($file);
            $before = memory_get_usage();
            if (function_exists('memory_reset_peak_usage')) {
                memory_reset_peak_usage();
            }
            self::assertSame([20 * 1024 * 1024, hash_final($hash)], $client->call('Inputs.digest', input: $file));
            if (function_exists('memory_reset_peak_usage')) {
                self::assertLessThan(4_000_000, memory_get_peak_usage() - $before);
            }
            fclose($file);
        });
    }

    public function testALargeElementOfAnInput(): void
    {
        $this->with(static function (Client $client): void {
            $large = str_repeat('x', 1_000_000);
            self::assertSame([2_000_001, hash('sha256', "{$large}y{$large}")], $client->call('Inputs.digest', input: [new Bytes($large), new Bytes('y'), new Bytes($large)]));
        });
    }

    public function testAnInputThatIsNotReadIsNotAskedFor(): void
    {
        $this->with(static function (Client $client): void {
            $asked = 0;
            $input = static function () use (&$asked): Generator {
                while (true) {
                    $asked++;
                    yield str_repeat('x', 1_000);
                }
            };
            self::assertSame('done', $client->call('Inputs.ignored', input: $input()));
            self::assertSame(0, $asked);
            self::assertCount(3, (array) $client->call('Inputs.first', 3, input: $input()));
            self::assertGreaterThan(2, $asked);
            self::assertLessThan(600, $asked);
            self::assertSame('RuntimeError', ((object) self::thrown(static fn (): mixed => $client->call('Inputs.plain')))->type ?? null);
        });
    }

    public function testAnInputThatThrows(): void
    {
        $this->with(static function (Client $client): void {
            $input = static function (): Generator {
                yield 1;
                yield 2;
                throw new DomainException('gone');
            };
            self::assertSame([[1, 2], DomainException::class, 'gone'], $client->call('Inputs.failing', input: $input()));
            self::assertEquals(new DomainException('gone'), self::thrown(static fn (): mixed => $client->call('Inputs.plain', input: $input())));
            [$elements, $thrown] = self::read($client->stream('Inputs.doubled', input: $input()));
            self::assertSame([[2, 4], 'gone'], [$elements, $thrown?->getMessage()]);
            self::assertInstanceOf(EncodeFailed::class, self::thrown(static fn (): mixed => $client->call('Inputs.plain', input: [1, static fn (): int => 2])));
            self::assertInstanceOf(ValueError::class, self::thrown(static fn (): mixed => $client->call('Inputs.plain', input: new stdClass()))); // @phpstan-ignore argument.type (that is the test)
            self::assertSame(6, $client->call('Inputs.plain', input: [1, 2, 3]));
        });
    }

    public function testResultsAreGivenAsTheyComplete(): void
    {
        $this->with(static function (Client $client): void {
            $calls = ['slow' => ['Work.wait', 0.2], 'quick' => ['Work.wait_async', 0.001], 'first' => ['Rows.list', 1]];
            $results = iterator_to_array($client->completed($calls));
            self::assertCount(3, $results);
            self::assertSame([0.2, [0]], [$results['slow'], $results['first']]);
            self::assertSame('slow', array_key_last($results));
        });
    }

    public function testCompletedTakesAnyNumberOfCalls(): void
    {
        $this->with(static function (Client $client): void {
            $given = $most = 0;
            $calls = static function () use (&$given): Generator {
                for (; $given < 500; $given++) {
                    yield 'same' => ['Rows.list', $given % 5];
                }
            };
            $taken = 0;
            foreach ($client->completed($calls(), concurrency: 8) as $key => $result) {
                $taken++;
                $most = max($most, $given - $taken);
                self::assertSame('same', $key);
            }
            self::assertSame(500, $taken);
            self::assertLessThanOrEqual(9, $most);
        });
    }

    public function testToLeaveCompletedCancelsTheRest(): void
    {
        $this->with(function (Client $client): void {
            foreach ($client->completed([['Work.hang', $this->path], ['Work.wait_async', 0.05]]) as $result) {
                self::assertSame(0.05, $result);
                break;
            }
            $this->assertEnded();
        });
    }

    public function testCompletedThrowsOrGivesTheExceptionOfACall(): void
    {
        $this->with(function (Client $client): void {
            $calls = ['fails' => ['Rows.nothing'], 'is not asked' => ['Work.hang', $this->path]];
            self::assertInstanceOf(MethodNotFound::class, self::thrown(static fn (): array => iterator_to_array($client->completed($calls))));
            foreach ($client->completed($calls, throw: false) as $key => $outcome) {
                self::assertSame('fails', $key);
                self::assertInstanceOf(MethodNotFound::class, $outcome);
                break;
            }
            self::assertInstanceOf(ValueError::class, self::thrown(static fn (): array => iterator_to_array($client->completed(['no pair'])))); // @phpstan-ignore argument.type (that is the test)
        });
    }

    /**
     * @param iterable<mixed> $elements
     * @return array{list<mixed>, ?Throwable} what came, and what was thrown then
     */
    private static function read(iterable $elements): array
    {
        $read = [];

        try {
            foreach ($elements as $element) {
                $read[] = $element;
            }
        } catch (Throwable $thrown) {
            return [$read, $thrown];
        }

        return [$read, null];
    }

    /**
     * @param Closure(): mixed $do
     */
    private static function thrown(Closure $do): ?Throwable
    {
        try {
            $do();
        } catch (Throwable $thrown) {
            return $thrown;
        }

        return null;
    }
}
