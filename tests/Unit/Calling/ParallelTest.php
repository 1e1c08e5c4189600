<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Calling;

use Generator;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Calling\Parallel;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Protocol\Call;
use RuntimeException;
use ValueError;

use function array_fill;
use function array_keys;
use function array_map;
use function count;
use function hrtime;
use function range;

/**
 * @internal
 */
#[CoversClass(Parallel::class)]
final class ParallelTest extends SenderTestCase
{
    public function testResultsAreInTheOrderOfTheirCallsUnderTheirKeys(): void
    {
        $this->broker();
        $parallel = $this->parallel(['b' => ['App.hi', 1], 'a' => ['App.fail'], 7 => ['App.hi', 3]]);
        $parallel->run();
        self::assertSame(['b' => 1, 7 => 3], $parallel->results(withErrors: false));
        self::assertSame(['b', 'a', 7], array_keys($parallel->results(withErrors: true)));
        self::assertSame(['a'], array_keys($parallel->errors()));
        self::assertInstanceOf(RemoteError::class, $parallel->errors()['a']);
    }

    public function testTwoCallsUnderOneKeyAreAnErrorInsteadOfOneResult(): void
    {
        $this->broker();
        $parallel = $this->parallel((static function (): iterable {
            yield from [['App.hi', 1]];
            yield from [['App.hi', 2]];
        })());

        $this->expectException(ValueError::class);
        $this->expectExceptionMessage('Two calls have the key 0');

        $parallel->run();
    }

    public function testNoMoreCallsAreUnderWayThanAreAllowed(): void
    {
        $transport = $this->broker();
        $source = static function () use ($transport): Generator {
            for ($i = 0; $i < 10; $i++) {
                yield ['App.hold', $i];
                self::assertLessThanOrEqual(3, count($transport->held));
            }
        };
        $parallel = $this->parallel($source(), 3);
        $parallel->run();
        self::assertSame([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], $parallel->results(withErrors: true));
    }

    public function testACallIsSentBeforeItsSourceWorksOnTheNext(): void
    {
        $transport = $this->broker();
        $sent = [];
        $source = static function () use ($transport, &$sent): Generator {
            for ($i = 0; $i < 4; $i++) {
                yield ['App.hi', $i];
                $sent[] = count(self::called($transport));
            }
        };
        $this->parallel($source())->run();
        self::assertSame([1, 2, 3, 4], $sent);
    }

    public function testCallsOfASourceTakeThePlacesTogetherThatBecomeFreeTogether(): void
    {
        $transport = $this->broker();
        $source = static function (): Generator {
            for ($i = 0; $i < 100; $i++) {
                yield ['App.hi', $i];
            }
        };
        $parallel = $this->parallel($source(), 10);
        $parallel->run();
        self::assertSame(range(0, 99), $parallel->results(withErrors: true));
        self::assertLessThan(30, $transport->writes, 'the first ten one by one, then ten at a time');
    }

    public function testACallIsSentAtOnceWhenItsSourceHasEverTakenLong(): void
    {
        $transport = $this->broker();
        $sent = [];
        $source = static function () use ($transport, &$sent): Generator {
            for ($i = 0; $i < 30; $i++) {
                yield ['App.hi', $i];
                $sent[] = count(self::called($transport)) - $i - 1;
                for ($until = hrtime(true) + ($i === 9 ? 2_000_000 : 0); hrtime(true) < $until;);
            }
        };
        $this->parallel($source(), 10)->run();
        self::assertSame(array_fill(0, 30, 0), $sent);
    }

    public function testCallsThatAreAllThereLeaveTogether(): void
    {
        $transport = $this->broker();
        $parallel = $this->parallel(array_fill(0, 10, ['App.hi', 1]));
        $parallel->run();
        self::assertLessThanOrEqual(3, $transport->writes);
    }

    public function testWhatIsUnderWayIsCancelledWhenTheSourceFails(): void
    {
        $transport = $this->broker();
        $this->call('App.hi');
        $source = static function (): Generator {
            yield ['App.never'];
            yield ['App.never'];

            throw new RuntimeException('No more.');
        };

        try {
            $this->parallel($source())->run();
            self::fail('It ended well.');
        } catch (RuntimeException $thrown) {
            self::assertSame('No more.', $thrown->getMessage());
        }
        self::assertSame(2, self::stops($transport));
    }

    /**
     * @param array<mixed> $wrong
     */
    #[TestWith([['App.hi', 1, 2]])]
    #[TestWith([[1]])]
    #[TestWith([[]])]
    public function testWhatIsUnderWayIsCancelledWhenACallIsNone(array $wrong): void
    {
        $transport = $this->broker();
        $this->call('App.hi');

        try {
            $this->parallel([['App.never'], $wrong])->run();
            self::fail('It was taken.');
        } catch (ValueError) {
        }
        // The first had not left yet, or is taken back.
        self::assertSame(count(self::called($transport)) - 1, self::stops($transport));
    }

    public function testLostCallsFailByThemselves(): void
    {
        $this->broker();
        $this->broker();
        $parallel = $this->parallel([['App.die'], ['App.never']]);
        $parallel->run();
        self::assertSame([ConnectionLost::class, ConnectionLost::class], array_map(static fn ($error): string => $error::class, $parallel->errors()));
        self::assertCount(1, $this->runtime->connected);
    }

    public function testACallThatHasNotRunIsMadeAgain(): void
    {
        $first = $this->broker();
        $this->call('App.hi');
        $first->isBroken = $first->isGone = true;
        $this->broker();
        $parallel = $this->parallel([['App.hi', 1], ['App.hi', 2]]);
        $parallel->run();
        self::assertSame([1, 2], $parallel->results(withErrors: true));
    }

    #[TestWith([false])]
    #[TestWith([true])]
    public function testAnAddressThatDoesNotAnswerIsTriedOnceForAll(bool $isLazy): void
    {
        $this->runtime->refuses = true;
        $this->runtime->beforeConnect = static function (): void {
            // So long it takes to find that nobody answers.
            $end = hrtime(true) + 50_000_000;
            while (hrtime(true) < $end);
        };
        $calls = array_fill(0, 50, ['App.hi', 1]);
        $parallel = $this->parallel($isLazy ? (static fn () => yield from $calls)() : $calls);
        $parallel->run();
        self::assertCount(50, $parallel->errors());
        self::assertContainsOnlyInstancesOf(ConnectFailed::class, $parallel->errors());
        self::assertCount(1, $this->runtime->connected);
        // A later one tries anew.
        $this->runtime->refuses = false;
        $this->runtime->beforeConnect = null;
        $this->broker();
        self::assertSame('x', $this->call('App.hi'));
    }

    public function testACallThatCanNotBePreparedFailsByItself(): void
    {
        $this->broker();
        $parallel = $this->parallel([['App.hi', 1], ['', 2], ['App.hi', 3]]);
        $parallel->run();
        self::assertSame([0 => 1, 2 => 3], $parallel->results(withErrors: false));
        self::assertInstanceOf(InvalidRequest::class, $parallel->errors()[1]);
    }

    /**
     * @param iterable<array-key, mixed> $calls
     * @param positive-int $concurrency
     * @return Parallel<array-key>
     */
    private function parallel(iterable $calls, int $concurrency = 256): Parallel
    {
        return new Parallel($calls, $this->sender, static fn (string $method, mixed $payload): Call => $method === ''
            ? throw new InvalidRequest('A method has a name.')
            : self::newCall($method, $payload), $concurrency);
    }
}
