<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use ArgumentCountError;
use Closure;
use DomainException;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Args;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\RemoteError;
use Throwable;

use function array_fill;
use function array_map;
use function array_sum;
use function iterator_to_array;
use function range;

/**
 * Methods that call PHP during their call: run once per runtime.
 */
abstract class CallBackContract extends ExchangeTestCase
{
    private Numbers $numbers;

    #[TestWith(['Back.times'])]
    #[TestWith(['Back.times_async'])]
    public function testAThousandCallsBackWithinOneCall(string $method): void
    {
        $this->withServices(function (Client $client) use ($method): void {
            self::assertSame(500_500, $client->call($method, 1_000));
            self::assertSame(1_000, $this->numbers->called);
            self::assertSame(500_500, $client->callAsync($method, 1_000)->await());
        });
    }

    public function testCallsBackAtTheSameTimeAreAnsweredOneByOne(): void
    {
        $this->withServices(static function (Client $client): void {
            self::assertSame(array_sum(range(1, 200)), $client->call('Back.gather', 200));
        });
    }

    #[TestWith(['Back.deep'])]
    #[TestWith(['Back.deep_async'])]
    public function testCallsBackWithinCallsBack(string $method): void
    {
        $this->withServices(static function (Client $client) use ($method): void {
            foreach ([0, 1, 3] as $depth) {
                $expected = ['Python', ...array_merge(...array_fill(0, $depth, ['PHP', 'Python']))];
                self::assertSame($expected, $client->call($method, $depth));
            }
        });
    }

    public function testManyCallersAtATime(): void
    {
        $this->withServices(function (Client $client): void {
            $caller = static fn (int $count): Closure => static fn (): mixed => $client->call('Back.times_async', $count);
            self::assertSame(array_map(static fn (int $i): int => array_sum(range(1, $i)), range(1, 20)), array_values($this->concurrently(array_map($caller, range(1, 20)))));
        });
    }

    public function testArgumentsAndNames(): void
    {
        $this->withServices(static function (Client $client): void {
            foreach (['Back.call', 'Back.call_async'] as $method) {
                self::assertSame(6, $client->call($method, new Args('Numbers.add_all', 1, 2, 3)));
                self::assertSame(3, $client->call($method, new Args('numbers.AddAll', 1, '2')));
                self::assertSame('Li, Jo', $client->call($method, new Args('Numbers.named', last: 'Li', first: 'Jo')));
                self::assertNull($client->call($method, new Args('Numbers.hang')));
            }
        });
    }

    public function testWhatIsNotForPythonIsRefused(): void
    {
        $this->withServices(static function (Client $client): void {
            foreach ([
                'Numbers.nothing', 'Nothing.at_all', 'Numbers', 'Numbers.', '.next', '', 'Numbers.next.next', 'Chosen.closed',
                'Numbers.mine', 'Numbers.reset', 'Numbers.__get', 'Numbers.__construct', 'Numbers._hidden', 'Numbers.hidden', 'Numbers._next',
            ] as $name) {
                $caught = (array) $client->call('Back.caught', $name);
                self::assertSame('', $caught[0], $name);
                self::assertIsString($caught[1]);
                self::assertStringContainsString("PHP has no {$name} that may be called back", $caught[1]);
                self::assertMatchesRegularExpression('/ Its services: Numbers, Chosen\.$| (Numbers has .*\bnext\b|Chosen has open\b)/', $caught[1]);
                self::assertDoesNotMatchRegularExpression('/\. \w+ has .*\b(hidden|mine|reset|closed)\b/', $caught[1]);
            }
            self::assertSame(['returned', 'open'], $client->call('Back.caught', 'Chosen.open'));
        });
        $this->with(static function (Client $client): void {
            self::assertStringContainsString('Its services: none', (string) json_encode($client->call('Back.caught', 'Numbers.next')));
        });
    }

    public function testAnExceptionOfPhpIsOneInPython(): void
    {
        $this->withServices(static function (Client $client): void {
            foreach (['Back.call', 'Back.call_async'] as $method) {
                $thrown = self::thrown(static fn (): mixed => $client->call($method, new Args('Numbers.fail')));
                self::assertInstanceOf(RemoteError::class, $thrown);
                self::assertStringContainsString('as told', $thrown->getMessage());
                self::assertSame('gotask.errors.PhpError', $thrown->type);
            }
            self::assertSame([DomainException::class, 'as told', 7, 'Numbers.php:73'], $client->call('Back.caught', 'Numbers.fail'));
            self::assertSame(ArgumentCountError::class, ((array) $client->call('Back.caught', 'Numbers.next'))[0]);
            self::assertStringContainsString('is a closure', (string) json_encode($client->call('Back.caught', 'Numbers.closure')));
            self::assertSame(2, $client->call('Back.call', new Args('Numbers.next', 1)));
        });
    }

    public function testCallsBackOfAStream(): void
    {
        $this->withServices(static function (Client $client): void {
            self::assertSame(range(1, 100), iterator_to_array($client->stream('Back.rows', 100)));
        });
    }

    public function testCallsBackOfManyCalls(): void
    {
        $this->withServices(static function (Client $client): void {
            $calls = array_map(static fn (int $count): array => ['Back.times_async', $count], range(1, 20));
            $sums = array_map(static fn (int $i): int => array_sum(range(1, $i)), range(1, 20));
            self::assertSame($sums, $client->parallel($calls, concurrency: 4));
            $completed = iterator_to_array($client->completed($calls));
            ksort($completed);
            self::assertSame($sums, $completed);
            self::assertSame([3, 3], $client->parallel([['Back.times', 2], ['Back.times', 2]]));
        });
    }

    public function testAQuickMethodThatCallsBack(): void
    {
        $this->withServices(static function (Client $client): void {
            for ($i = 0; $i < 40; $i++) {
                self::assertSame([0], $client->call('Rows.list', 1));
                self::assertSame($i + 1, $client->call('Back.call', new Args('Numbers.next', $i)));
                self::assertSame($i % 10 === 0 ? 1 : 0, $client->call('Back.times', $i % 10 === 0 ? 1 : 0));
            }
        });
    }

    public function testTheTimeOfACallGoesOnWhileItCallsBack(): void
    {
        $this->withServices(function (Client $client): void {
            $this->numbers->onHang = static function (): void {
                $until = hrtime(true) + 0.5e9;
                while (hrtime(true) < $until) {
                    static::pause();
                }
            };
            self::assertInstanceOf(DeadlineExceeded::class, self::thrown(fn (): mixed => $client->call('Back.hang', $this->path, 0.2)));
            $this->assertEnded();
            self::assertSame([0], $client->call('Rows.list', 1));
        });
    }

    public function testALostConnectionEndsTheWaitOnBothSides(): void
    {
        $this->withServices(function (Client $client): void {
            $this->numbers->onHang = $client->close(...);
            self::assertInstanceOf(ConnectionLost::class, self::thrown(fn (): mixed => $client->call('Back.hang', $this->path)));
            $this->assertEnded();
            self::assertSame([0], $client->call('Rows.list', 1));
        });
    }

    public function testACallBackOfACallThatNobodyWaitsForIsRefused(): void
    {
        $this->withServices(function (Client $client): void {
            $future = $client->callAsync('Back.hang', $this->path);
            unset($future);
            $until = hrtime(true) + 5e9;
            while (file_get_contents($this->path) !== 'ended' && hrtime(true) < $until) {
                $client->call('Rows.list', 1);
            }
            $this->assertEnded();
            self::assertSame(0, $this->numbers->called);
        });
    }

    public function testAServiceIsMadeWhenItIsFirstCalled(): void
    {
        $made = 0;
        $this->with(static function (Client $client) use (&$made): void {
            $client->call('Rows.list', 1);
            self::assertSame('0', (string) $made);
            self::assertSame(3, $client->call('Back.times', 2));
            self::assertSame(3, $client->call('Back.times', 2));
            self::assertSame('1', (string) $made);
        }, ['Numbers' => static function () use (&$made): Numbers {
            $made++;

            return new Numbers();
        }]);
    }

    /**
     * @param Closure(Client): mixed $body
     */
    private function withServices(Closure $body): void
    {
        $this->numbers = new Numbers();
        $this->with(function (Client $client) use ($body): void {
            $this->numbers->client = $client;

            try {
                $body($client);
            } finally {
                $this->numbers->client = $this->numbers->onHang = null;
            }
        }, ['Numbers' => $this->numbers, 'Chosen' => new Chosen()]);
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
