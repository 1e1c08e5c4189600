<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Calling;

use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Calling\RetryBudget;
use Reasno\GoTask\Protocol\Methods;

/**
 * @internal
 */
final class RetryBudgetTest extends TestCase
{
    public function testTheBudgetIsATenthOfTheCallsAndAFewToBeginWith(): void
    {
        $retries = new RetryBudget();
        self::assertSame(10, self::spend($retries));
        self::assertTrue($retries->isEmpty());
        $retries->earn(9);
        self::assertFalse($retries->take());
        $retries->earn(1);
        self::assertTrue($retries->take());
        $retries->earn(50);
        self::assertSame(5, self::spend($retries));
        $retries->earn(1_000_000);
        self::assertSame(100, self::spend($retries));
    }

    public function testThePauseIsAnythingUpToABoundThatGrows(): void
    {
        $random = 1.0;
        $retries = new RetryBudget(static function () use (&$random): float {
            return $random;
        });
        self::assertSame([0.1, 1.0, 1.0], [$retries->pause(1), $retries->pause(2), $retries->pause(3)]);
        $random = 0.0;
        // Swoole takes less for an error.
        self::assertSame(0.001, $retries->pause(2));
        for ($i = 0; $i < 100; $i++) {
            self::assertThat((new RetryBudget())->pause(1), self::logicalAnd(self::greaterThanOrEqual(0.001), self::lessThanOrEqual(0.1)));
        }
    }

    public function testAMethodIsIdempotentInWhateverSpellingTheBrokerTakes(): void
    {
        $methods = Methods::of([['name' => 'App.say_hello', 'idempotent' => true], ['name' => 'App.send', 'idempotent' => false], ['name' => 'App.old'], ['name' => 'App.ändern', 'idempotent' => true]]);
        foreach (['App.say_hello', 'App.SayHello', 'App.sayHello', 'app.SAYHELLO', 'App.Ändern'] as $name) {
            self::assertTrue($methods->isIdempotent($name), $name);
        }
        foreach (['App.send', 'App.old', 'App.unknown', 'App._say_hello', ''] as $name) {
            self::assertFalse($methods->isIdempotent($name), $name);
        }
    }

    public function testAPeerThatSaysSomethingElseHasNoIdempotentMethods(): void
    {
        foreach ([null, 'rpc: no such method', [1, ['name' => 3, 'idempotent' => true]], ['name' => 'App.hi']] as $reply) {
            self::assertFalse(Methods::of($reply)->isIdempotent('App.hi'));
        }
    }

    private static function spend(RetryBudget $retries): int
    {
        $spent = 0;
        while ($retries->take()) {
            $spent++;
        }

        return $spent;
    }
}
