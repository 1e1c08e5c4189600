<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Testing;

use ArrayObject;
use Closure;
use DomainException;
use Generator;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Args;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\InvalidResult;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Progress;
use Reasno\GoTask\Testing\FakeCall;
use Reasno\GoTask\Testing\FakeGoTask;
use Reasno\GoTask\Testing\Handler;

/**
 * What goes to and fro within a call to a FakeGoTask.
 *
 * @internal
 */
#[CoversClass(FakeCall::class)]
#[CoversClass(FakeGoTask::class)]
#[CoversClass(Handler::class)]
final class FakeCallTest extends TestCase
{
    public function testWhatAHandlerYieldsIsStreamed(): void
    {
        /** @var ArrayObject<int, int> $closed */
        $closed = new ArrayObject();
        $task = new FakeGoTask(['Rows.count' => static function (int $count) use ($closed): Generator {
            try {
                for ($i = 0; $i < $count; $i++) {
                    yield 'key' => (object) ['number' => $i];
                }

                return 'done';
            } finally {
                $closed[] = $count;
            }
        }, 'Rows.list' => [1, 2], 'Rows.map' => ['a' => 1]]);

        $rows = $task->stream('Rows.Count', 3);
        $task->assertCalled('Rows.count', 3);
        self::assertSame([['number' => 0], ['number' => 1], ['number' => 2]], iterator_to_array($rows));
        self::assertSame('done', $rows->getReturn());
        self::assertSame([1, 2], iterator_to_array($task->stream('Rows.list')));

        foreach ($task->stream('Rows.count', 2) as $_) {
            break;
        }
        self::assertSame([3, 2], $closed->getArrayCopy());
        self::assertInstanceOf(InvalidResult::class, self::failure(static fn (): array => iterator_to_array($task->stream('Rows.map'))));
        self::assertInstanceOf(InvalidResult::class, self::failure(static fn (): mixed => $task->call('Rows.count', 3)));
        self::assertInstanceOf(MethodNotFound::class, self::failure(static fn (): Generator => $task->stream('Rows.nothing')));
    }

    public function testAnExceptionComesAfterTheElementsBeforeIt(): void
    {
        $task = new FakeGoTask(['Rows.fail' => static function (): Generator {
            yield 1;
            throw new DomainException('gone');
        }, 'Rows.closure' => static fn (): Generator => yield static fn (): int => 1]);
        $read = [];
        $failure = self::failure(static function () use ($task, &$read): void {
            foreach ($task->stream('Rows.fail') as $row) {
                $read[] = $row;
            }
        });
        self::assertSame([1], $read);
        self::assertInstanceOf(RemoteError::class, $failure);
        self::assertSame(DomainException::class, $failure->type);
        self::assertInstanceOf(EncodeFailed::class, self::failure(static fn (): array => iterator_to_array($task->stream('Rows.closure'))));
    }

    public function testAHandlerTellsOfItsProgress(): void
    {
        $task = new FakeGoTask(['Work.steps' => static function (int $count, string $text, FakeCall $call): int {
            for ($i = 0; $i < $count; $i++) {
                $call->progress($i / $count, $text, (object) ['step' => $i]);
            }

            return $count;
        }]);
        $told = [];
        $onProgress = static function (Progress $progress) use (&$told): void {
            $told[] = $progress;
        };
        self::assertSame(2, $task->call('Work.steps', [2, 'a'], onProgress: $onProgress));
        self::assertSame(2, $task->call('Work.steps', new Args(2, text: 'a')));
        self::assertEquals([new Progress(0.0, 'a', ['step' => 0]), new Progress(0.5, 'a', ['step' => 1])], $told);
        $future = $task->callAsync('Work.steps', ['text' => 'b', 'count' => 1], onProgress: $onProgress);
        self::assertSame('b', $future->progress()?->text);
        self::assertNull($task->callAsync('Work.steps', [1, 'c'])->progress());
        self::assertInstanceOf(InvalidArguments::class, self::failure(static fn (): mixed => $task->call('Work.steps', 1)));
    }

    public function testAHandlerReadsTheInput(): void
    {
        $task = new FakeGoTask([
            'Inputs.list' => static fn (FakeCall $call): array => iterator_to_array($call->input()),
            'Inputs.doubled' => static function (FakeCall $call): Generator {
                foreach ($call->input() as $element) {
                    yield [$element, $element];
                }
            },
        ]);
        self::assertSame([1, ['a' => 2]], $task->call('Inputs.list', input: [1, (object) ['a' => 2]]));
        self::assertSame([[1, 1], [2, 2]], iterator_to_array($task->stream('Inputs.doubled', input: (static fn (): Generator => yield from [1, 2])())));
        self::assertInstanceOf(RemoteError::class, self::failure(static fn (): mixed => $task->call('Inputs.list')));
    }

    public function testAHandlerCallsBack(): void
    {
        $service = new class {
            public function add(int $one, int $other = 1): int
            {
                return $one + $other;
            }
        };
        $task = new FakeGoTask(['Back.call' => static fn (string $name, int $number, FakeCall $call): mixed => $call->php($name, $number)], ['Numbers' => $service]);
        self::assertSame(3, $task->call('Back.call', ['numbers.Add', 2]));
        self::assertInstanceOf(RemoteError::class, self::failure(static fn (): mixed => $task->call('Back.call', ['Numbers.nothing', 2])));
    }

    public function testCompletedGivesEachResult(): void
    {
        $task = new FakeGoTask(['A' => static fn (int $x): int => $x, 'B' => new RemoteError('as told', 'B', 'ValueError')]);
        $calls = static function (): Generator {
            yield 'same' => ['A', 1];
            yield 'same' => ['A', 2];
            yield 'fails' => ['B'];
        };
        $results = [];
        $failure = self::failure(static function () use ($task, $calls, &$results): void {
            foreach ($task->completed($calls()) as $key => $result) {
                $results[] = [$key, $result];
            }
        });
        self::assertSame([['same', 1], ['same', 2]], $results);
        self::assertInstanceOf(RemoteError::class, $failure);
        self::assertCount(3, iterator_to_array($task->completed($calls(), throw: false), false));
    }

    /**
     * @param Closure(): mixed $do
     */
    private static function failure(Closure $do): ?GoTaskException
    {
        try {
            $do();
        } catch (GoTaskException $failure) {
            return $failure;
        }

        return null;
    }
}
