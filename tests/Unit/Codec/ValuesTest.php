<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Codec\Values;
use stdClass;

#[CoversClass(Values::class)]
final class ValuesTest extends TestCase
{
    public function testArraysOfNullAndScalarsArePlain(): void
    {
        self::assertTrue(Values::arePlain([]));
        self::assertTrue(Values::arePlain([null, true, false, 1, 1.5, 'a', [], ['k' => ['a', [null]]]]));
    }

    public function testArraysWithAnythingElseWithinAreNot(): void
    {
        foreach ([new stdClass(), static fn (): int => 1, fopen('php://memory', 'r')] as $value) {
            self::assertFalse(Values::arePlain([1, $value, 'a']));
            self::assertFalse(Values::arePlain(['k' => [1, [$value]], 'l' => 'a']));
        }
    }

    public function testArraysAreDeepFrom513Levels(): void
    {
        $values = [];
        for ($level = 1; $level < 512; $level++) {
            $values = [$values];
        }
        self::assertTrue(Values::arePlain($values));
        self::assertTrue(Values::areShallow([...$values, 'a', 1]));

        self::assertFalse(Values::arePlain([$values]));
        self::assertFalse(Values::areShallow([1, $values, 'a']));
        self::assertFalse(Values::arePlain($values, 2));
        self::assertFalse(Values::areShallow($values, 2));
    }
}
