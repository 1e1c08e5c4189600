<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Testing;

use DateTime;
use DateTimeImmutable;
use DomainException;
use LogicException;
use PHPUnit\Framework\AssertionFailedError;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Args;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\Overloaded;
use Reasno\GoTask\Exception\ParallelFailed;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Exception\WorkerCrashed;
use Reasno\GoTask\Outcome;
use Reasno\GoTask\Progress;
use Reasno\GoTask\Raw;
use Reasno\GoTask\Testing\FakeCall;
use Reasno\GoTask\Testing\FakeGoTask;
use Reasno\GoTask\Time;
use ReflectionMethod;
use stdClass;
use ValueError;

use function count;
use function fopen;
use function strlen;
use function strrev;

/**
 * @internal
 */
final class FakeGoTaskTest extends TestCase
{
    public function testKeysAndHeadersAreRecordedAndWrongHeadersAreErrors(): void
    {
        $task = new FakeGoTask(['App.Hi' => 'hi']);
        $task->on('App.Headers', static fn (FakeCall $call): array => $call->headers);
        $task->call('App.Hi', 'x', key: 7, headers: ['tenant' => 'acme']);
        $task->notify('App.Hi', headers: ['a' => 'b']);
        [$first, $second] = $task->calls();
        self::assertSame([7, ['tenant' => 'acme'], null, ['a' => 'b']], [$first->key, $first->headers, $second->key, $second->headers]);
        self::assertSame(['a' => 'b'], $task->call('App.Headers', headers: ['a' => 'b']));
        $this->expectException(InvalidRequest::class);
        $task->call('App.Hi', headers: ['a' => "\xff"]);
    }

    public function testHandlersAreValuesClosuresAndExceptions(): void
    {
        $task = new FakeGoTask([
            'App.Value' => ['a' => 1],
            'App.Null' => null,
            'App.Hi' => static fn (string $name): array => ['hello' => $name],
            'App.Busy' => new Overloaded('full', 'App.Busy'),
        ]);
        self::assertSame(['a' => 1], $task->call('App.Value'));
        self::assertNull($task->call('App.Null'));
        self::assertSame(['hello' => 'Jo'], $task->call('App.Hi', 'Jo'));
        self::assertSame(2, $task->on('App.Value', 2)->call('App.Value'));
        $this->expectException(Overloaded::class);
        $task->call('App.Busy');
    }

    public function testArgumentsArriveByPositionAndName(): void
    {
        $task = new FakeGoTask(['App.SayHello' => static fn (string $first, string $last = ''): string => "{$first} {$last}"]);
        self::assertSame('Jo Li', $task->service('App')->SayHello('Jo', last: 'Li'));
        self::assertSame('Jo ', $task->call('App.SayHello', new Args('Jo')));
        $task->assertCalled('App.SayHello', new Args('Jo', last: 'Li'));
        self::assertSame('Jo ', $task->service('App')->with(key: 'Jo')->sayHello('Jo'));
        self::assertSame('Jo', $task->calls()[2]->key);
    }

    public function testPayloadsAndResultsPassThroughTheCodec(): void
    {
        $task = new FakeGoTask([
            'Type' => static fn (mixed $value): string => get_debug_type($value),
            'Closure' => static fn (): callable => strrev(...),
            'Raw' => static fn (string $bytes): Raw => new Raw(strrev($bytes)),
        ]);
        self::assertSame('string', $task->call('Type', new Bytes("\xff")));
        self::assertSame(Time::class, $task->call('Type', new DateTime('2026-01-01T00:00:00Z')));
        self::assertSame('array', $task->call('Type', (object) ['a' => 1]));
        self::assertSame('ba', $task->call('Raw', new Raw('ab')));
        foreach ([['Type', fopen('php://memory', 'r')], ['Closure', null]] as [$method, $payload]) {
            try {
                $task->call($method, $payload);
                self::fail('It was encoded.');
            } catch (EncodeFailed) {
            }
        }
    }

    public function testWhatAHandlerThrowsArrivesAsIfFromPython(): void
    {
        $task = new FakeGoTask(['App.Boom' => static fn (): never => throw new DomainException('no')]);

        try {
            $task->call('App.Boom');
            self::fail('It did not fail.');
        } catch (RemoteError $error) {
            self::assertSame(['App.Boom', DomainException::class], [$error->method, $error->type]);
        }
    }

    public function testAnUnknownMethodIsNotFound(): void
    {
        $this->expectException(MethodNotFound::class);
        $this->expectExceptionMessage('App.Hi');
        (new FakeGoTask(['App.Hi' => 1]))->call('App.Ho');
    }

    public function testFuturesAndParallelAndNotify(): void
    {
        $task = new FakeGoTask(['Echo' => static fn (mixed $x): mixed => $x, 'Busy' => new Overloaded('full')]);
        $future = $task->callAsync('Echo', 1);
        self::assertFalse($future->isComplete());
        self::assertSame([1, 1], [$future->await(), $future->await()]);
        $cancelled = $task->callAsync('Echo', 1);
        $cancelled->cancel();

        try {
            $cancelled->await();
            self::fail('It was not cancelled.');
        } catch (Cancelled) {
        }
        self::assertSame(['a' => 1, 'b' => 2], $task->parallel(['a' => ['Echo', 1], 'b' => ['Echo', 2]]));
        $task->notify('Echo', 'n');
        self::assertTrue($task->calls('Echo')[4]->notification);
        self::assertInstanceOf(Overloaded::class, $task->parallel([['Busy']], throw: false)[0]);
        $this->expectException(ParallelFailed::class);
        $task->parallel([['Echo', 1], ['Busy']]);
    }

    public function testACoroutineThatIsToldToStopEndsTheOtherCallsToo(): void
    {
        $task = new FakeGoTask(['Stop' => new Cancelled('It was told to stop.'), 'Echo' => 1]);
        $ways = [
            static fn () => $task->parallel([['Stop'], ['Echo']], throw: false),
            static fn () => iterator_to_array($task->completed([['Stop'], ['Echo']], throw: false)),
        ];
        foreach ($ways as $way) {
            try {
                $way();
                self::fail('It went on.');
            } catch (Cancelled) {
            }
        }

        $task->assertNotCalled('Echo');
    }

    public function testAssertionsTellWhatWasCalled(): void
    {
        $task = new FakeGoTask(['A' => 1, 'B' => 2]);
        $task->assertNotCalled();
        $task->call('A', ['x' => 1], 2.5);
        $task->assertCalled('A');
        $task->assertCalled('A', ['x' => 1]);
        $task->assertCalledTimes('A', 1);
        $task->assertNotCalled('B');
        self::assertSame(2.5, $task->calls()[0]->timeout);
        $failing = [
            static fn () => $task->assertCalled('B'),
            static fn () => $task->assertCalled('A', ['x' => 2]),
            static fn () => $task->assertCalledTimes('A', 2),
            static fn () => $task->assertNotCalled('A'),
            static fn () => $task->assertNotCalled(),
        ];
        foreach ($failing as $i => $assert) {
            $failed = false;

            try {
                $assert();
            } catch (AssertionFailedError) {
                $failed = true;
            }
            self::assertTrue($failed, "assertion {$i} held");
        }
    }

    public function testWrongArgumentsFailAsInTheClient(): void
    {
        $task = new FakeGoTask(['A' => 1]);

        try {
            $task->call('');
            self::fail('It was called.');
        } catch (InvalidRequest) {
        }
        $this->expectException(ValueError::class);
        $task->call('A', null, -1.0);
    }

    public function testAPayloadIsOneThatTheWorkerCouldNotTellFromIt(): void
    {
        $task = new FakeGoTask(['A' => 1, 'B' => 1, 'C' => 1, 'D' => 1, 'E' => 1]);
        $task->call('A', ['n' => 1, 'when' => new DateTime('2026-01-01 UTC'), 'x' => NAN]);
        $task->assertCalled('A', ['x' => NAN, 'n' => 1, 'when' => new DateTimeImmutable('2026-01-01 08:00 +08:00')]);
        $task->call('B', [1, 0, '1', null]);
        $task->call('C', new Args('Jo'));
        $task->call('D', new Bytes('text'));
        $task->call('E', ['x' => new stdClass()]);
        foreach ([
            ['A', ['n' => '1', 'when' => new DateTime('2026-01-01 UTC'), 'x' => NAN]],
            ['A', ['n' => 1, 'when' => new DateTime('2026-01-01 00:00:00.000001 UTC'), 'x' => NAN]],
            ['B', [1.0, 0, '1', null]],
            ['B', [true, 0, '1', null]],
            ['B', [1, false, '1', null]],
            ['B', [1, 0, '1.0', null]],
            ['B', [1, 0, '1', '']],
            ['B', [1 => 0, 0 => 1, 2 => '1', 3 => null]],
            ['C', [['Jo'], []]],
            ['D', 'text'],
            ['E', ['x' => []]],
        ] as [$method, $payload]) {
            try {
                $task->assertCalled($method, $payload);
                $held = true;
            } catch (AssertionFailedError) {
                $held = false;
            }
            self::assertFalse($held, json_encode([$method, $payload], JSON_PARTIAL_OUTPUT_ON_ERROR) ?: '');
        }
    }

    #[TestWith([new Args()])]
    #[TestWith([new Args(1, a: 2)])]
    #[TestWith([new Args(1, c: 2)])]
    public function testArgumentsThatDoNotFitAreToldAsByTheWorker(Args $arguments): void
    {
        $task = new FakeGoTask(['App.Opt' => static fn (mixed $a, mixed $b = 2): array => [$a, $b]]);
        self::assertSame([null, 2], $task->call('App.Opt'));

        $this->expectException(InvalidArguments::class);
        $task->call('App.Opt', $arguments);
    }

    public function testTwoCallsOfParallelNeedTwoKeys(): void
    {
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage('Two calls have the key 0');

        (new FakeGoTask(['A' => 1]))->parallel((static function (): iterable {
            yield from [['A', 1]];
            yield from [['A', 2]];
        })());
    }

    public function testWhoAssertsAnotherPayloadIsShownBoth(): void
    {
        $task = new FakeGoTask(['A' => 1]);
        $task->call('A', '1');
        $task->call('A', new Args(2, x: 'y'));

        try {
            $task->assertCalled('A', 1);
        } catch (AssertionFailedError $failed) {
            self::assertStringContainsString("never with this payload: 1.\nThese were:\n'1'\nReasno\\GoTask\\Args of array", $failed->getMessage());
        }
        $task->call('A', str_repeat('x', 10_000));

        try {
            $task->assertCalled('A', 1);
        } catch (AssertionFailedError $failed) {
            self::assertLessThan(2_000, strlen($failed->getMessage()));
        }
        self::assertTrue(isset($failed));
    }

    public function testNamesAreFoldedAsTheWorkerDoes(): void
    {
        $task = new FakeGoTask(['App.say_hello' => 1, 'getURL' => 2]);
        self::assertSame([1, 1, 2, 2], [$task->call('App.SayHello'), $task->call('app.sayhello'), $task->call('get_url'), $task->call('GetUrl')]);
        $task->assertCalledTimes('App.sayHello', 2);
        $task->assertCalled('get_URL');
        self::assertSame(3, $task->on('App.SayHello', 3)->call('App.say_hello'));
        foreach (['App._say_hello', '_App.say_hello', '_getURL'] as $method) {
            try {
                $task->call($method);
                self::fail("{$method} was found.");
            } catch (MethodNotFound) {
            }
        }
        $this->expectException(ValueError::class);
        $this->expectExceptionMessage('App.SayHello and App.say_hello are the same method');
        new FakeGoTask(['App.say_hello' => 1, 'App.SayHello' => 2]);
    }

    public function testACallRunsAlsoWhereNobodyAwaitsIt(): void
    {
        $ran = [];
        $task = new FakeGoTask(['A' => static function (int $n) use (&$ran): int {
            $ran[] = $n;

            return $n > 1 ? throw new DomainException('no') : $n;
        }]);
        $task->callAsync('A', 1);
        $failing = $task->callAsync('A', 2);
        $task->callAsync('A', 3)->cancel();
        self::assertSame([1, 2, 3], $ran);
        $this->expectException(RemoteError::class);
        $failing->await();
    }

    public function testAPayloadIsSpreadWhereSeveralArgumentsAreRequired(): void
    {
        $task = new FakeGoTask([
            'Minus' => static fn (int $a, int $b): int => $a - $b,
            'Whole' => static fn (array $pair, int $more = 0): int => count($pair) + $more,
        ]);
        self::assertSame([2, 2, 2], [$task->call('Minus', [5, 3]), $task->call('Minus', ['b' => 3, 'a' => 5]), $task->call('Whole', [5, 3])]);
        $task->assertCalled('Minus', [5, 3]);
        $this->expectException(InvalidArguments::class);
        $task->call('Minus', new Args([5, 3]));
    }

    public function testAnAssertionThatFailsInAHandlerFailsTheTest(): void
    {
        $task = new FakeGoTask(['A' => static fn (int $n) => self::assertSame(1, $n)]);
        foreach ([$task->call(...), $task->callAsync(...), $task->notify(...), static fn (string $method, int $n): array => $task->parallel([[$method, $n]], throw: false)] as $way) {
            try {
                $way('A', 2);
                $failed = false;
            } catch (AssertionFailedError) {
                $failed = true;
            }
            self::assertTrue($failed);
        }
    }

    public function testAnExceptionOfAnotherKindIsPythons(): void
    {
        $task = new FakeGoTask(['A' => new DomainException('no')]);
        self::assertInstanceOf(RemoteError::class, $task->parallel([['A']], throw: false)[0]);
    }

    public function testADurableCallHasAnOutcome(): void
    {
        $task = new FakeGoTask([
            'Report.Build' => static fn (int $rows): array => ['rows' => $rows],
            'Report.Lose' => new RemoteError('Report.Lose raised KeyError', 'Report.Lose'),
        ]);
        $id = $task->notify('Report.Build', 3, durable: true);
        self::assertSame(['done', ['rows' => 3]], [$task->outcome($id)->state, $task->outcome($id)->result()]);
        $lost = $task->outcome($task->notify('Report.Lose', durable: true));
        self::assertSame('failed', $lost->state);
        $task->setOutcome(new Outcome($id, 'running', new Progress(0.5, 'half')));
        self::assertSame(0.5, $task->outcome($id)->progress?->fraction);
        self::assertSame('unknown', $task->outcome('made up')->state);

        foreach ([$task->outcome($id), $task->outcome('made up')] as $unfinished) {
            try {
                $unfinished->result();
                self::fail('There is no result.');
            } catch (LogicException $error) {
                self::assertStringContainsString($unfinished->id, $error->getMessage());
            }
        }
        $this->expectExceptionMessage('Report.Lose raised KeyError');
        $lost->result();
    }

    public function testANotificationThatWasAcceptedFailsNobody(): void
    {
        $task = new FakeGoTask([
            'Crash' => new WorkerCrashed('killed', 'Crash'),
            'Late' => new DeadlineExceeded('late', 'Late'),
            'Odd' => static fn (): callable => strrev(...),
            'Busy' => new Overloaded('full', 'Busy'),
        ]);
        foreach (['Crash', 'Late', 'Odd'] as $method) {
            $task->notify($method);
            $task->assertCalledTimes($method, 1);
        }
        $this->expectException(Overloaded::class);
        $task->notify('Busy');
    }

    public function testACallOfParallelThatIsNoneIsAnErrorOfTheCaller(): void
    {
        $task = new FakeGoTask(['A' => 1]);
        foreach ([['A'], [['A', 1, 2]], [[1]]] as $calls) {
            $message = '';
            try {
                (new ReflectionMethod($task, 'parallel'))->invoke($task, $calls);
            } catch (ValueError $error) {
                $message = $error->getMessage();
            }
            self::assertStringContainsString('must be a pair of method and payload', $message);
        }
        $this->expectException(ValueError::class);
        $task->parallel([], timeout: 0.0);
    }
}
