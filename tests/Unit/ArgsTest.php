<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Args;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\Values;
use Reasno\GoTask\Exception\EncodeFailed;

#[CoversClass(Args::class)]
final class ArgsTest extends TestCase
{
    public function testArgumentsAreTakenByPositionAndByName(): void
    {
        $args = new Args('Jo', null, last: 'Li', first: 1);

        self::assertSame(['Jo', null], $args->positional);
        self::assertSame(['last' => 'Li', 'first' => 1], $args->named);
    }

    public function testArgumentsMayBeSpreadFromAnArray(): void
    {
        $args = new Args(...[5 => 'a', 9 => 'b', 'c' => 'd']);

        self::assertSame(['a', 'b'], $args->positional);
        self::assertSame(['c' => 'd'], $args->named);
    }

    public function testTheBodyIsAListAndAMapEvenWhenTheyAreEmpty(): void
    {
        foreach ([null, false] as $extension) {
            $codec = new MessagePackCodec($extension);
            self::assertSame('9291a24a6f81a46c617374a24c69', bin2hex(Values::encodeArguments(new Args('Jo', last: 'Li'), $codec)));
            self::assertSame('929080', bin2hex(Values::encodeArguments(new Args(), $codec)));
        }
    }

    public function testAFailureNamesTheArgument(): void
    {
        $closure = static fn (): int => 1;
        foreach ([
            '$args[1][0]' => new Args('a', [$closure]),
            "\$args['last']" => new Args('a', last: $closure),
        ] as $path => $args) {
            try {
                Values::encodeArguments($args, new MessagePackCodec());
                self::fail('No exception.');
            } catch (EncodeFailed $failure) {
                self::assertSame($path, $failure->getPath());
                self::assertSame("{$path} is a closure, which can't be sent.", $failure->getMessage());
            }
        }
    }
}
