<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use DateTimeImmutable;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Codec\JsonCodec;
use Reasno\GoTask\Codec\Values;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Raw;
use Reasno\GoTask\Tests\Unit\Codec\Fixtures\Crowd;
use Reasno\GoTask\Tests\Unit\Codec\Fixtures\Size;
use Reasno\GoTask\Tests\Unit\Codec\Fixtures\Suit;
use RuntimeException;
use stdClass;

use function sprintf;

#[CoversClass(JsonCodec::class)]
#[CoversClass(Values::class)]
final class JsonCodecTest extends TestCase
{
    private JsonCodec $codec;

    protected function setUp(): void
    {
        $this->codec = new JsonCodec();
    }

    public function testItsFlagIsJson(): void
    {
        self::assertSame(Flag::JSON, $this->codec->flag());
    }

    public function testAnEmptyBodyIsNull(): void
    {
        self::assertNull($this->codec->decode(''));
    }

    #[DataProvider('values')]
    public function testAValueComesBackTheSame(mixed $value, string $json): void
    {
        foreach ([[$value, '%s'], [[$value], '[%s]'], [['k' => $value], '{"k":%s}']] as [$whole, $format]) {
            $body = $this->codec->encode($whole);
            self::assertSame(sprintf($format, $json), $body);
            self::assertSame($whole, $this->codec->decode($body));
        }
    }

    /**
     * @return iterable<string, array{mixed, string}>
     */
    public static function values(): iterable
    {
        yield 'null' => [null, 'null'];
        yield 'bool' => [true, 'true'];
        yield 'int' => [-5, '-5'];
        yield 'the greatest int' => [PHP_INT_MAX, '9223372036854775807'];
        yield 'the least int' => [PHP_INT_MIN, '-9223372036854775808'];
        yield 'float' => [0.1, '0.1'];
        yield 'float without a fraction' => [2.0, '2.0'];
        yield 'float with more digits than an int' => [1e25, '1.0e+25'];
        yield 'string' => ['größe/€', '"größe/€"'];
        yield 'string of digits' => ['18446744073709551615', '"18446744073709551615"'];
        yield 'empty string' => ['', '""'];
        yield 'empty array' => [[], '[]'];
        yield 'list' => [[1, 'a', null], '[1,"a",null]'];
        yield 'map' => [['a' => ['b' => []]], '{"a":{"b":[]}}'];
        yield 'map with integer keys' => [[1 => 'a'], '{"1":"a"}'];
    }

    #[DataProvider('oneWay')]
    public function testAValueIsSentAsWhatStandsForIt(mixed $value, string $json): void
    {
        foreach ([[$value, '%s'], [[$value], '[%s]'], [['k' => [1, $value]], '{"k":[1,%s]}']] as [$whole, $format]) {
            self::assertSame(sprintf($format, $json), $this->codec->encode($whole));
        }
    }

    /**
     * @return iterable<string, array{mixed, string}>
     */
    public static function oneWay(): iterable
    {
        yield 'time' => [new DateTimeImmutable('2026-11-23 20:00:00+08:00'), '"2026-11-23T20:00:00+08:00"'];
        yield 'time with microseconds' => [new DateTimeImmutable('2026-11-23 12:00:00.000120+00:00'), '"2026-11-23T12:00:00.000120+00:00"'];
        yield 'empty object' => [new stdClass(), '{}'];
        yield 'object' => [(object) ['a' => 1, 'b' => new stdClass()], '{"a":1,"b":{}}'];
        yield 'object with the keys of a list' => [(object) ['x', 'y'], '{"0":"x","1":"y"}'];
        yield 'backed enum, string' => [Suit::Hearts, '"H"'];
        yield 'backed enum, int' => [Size::Large, '3'];
        yield 'what serializes to a map' => [new Crowd(['n' => 2]), '{"n":2}'];
        yield 'what serializes to what serializes' => [new Crowd(new Crowd([new Crowd('x')])), '["x"]'];
    }

    #[DataProvider('unencodable')]
    public function testWhatCannotBeEncodedIsAnErrorThatSaysWhere(mixed $value, string $message): void
    {
        foreach ([
            ['$payload', $value],
            ['$payload[2]', [1, 'a', $value]],
            ["\$payload['a'][3]", ['a' => [0, 1, 2, $value]]],
            ["\$payload['a'][7]", (object) ['a' => new Crowd([7 => $value])]],
        ] as [$path, $whole]) {
            try {
                $this->codec->encode($whole);
                self::fail('No exception.');
            } catch (EncodeFailed $failure) {
                self::assertSame($path, $failure->getPath());
                self::assertStringStartsWith("{$path} {$message}", $failure->getMessage());
            }
        }
    }

    /**
     * @return iterable<string, array{mixed, string}>
     */
    public static function unencodable(): iterable
    {
        yield 'a string that is not UTF-8' => ["\xff", 'is a string that is not UTF-8, which JSON has no form for: use MessagePack.'];
        yield 'infinity' => [INF, 'is INF, which JSON has no form for: use MessagePack.'];
        yield 'not a number' => [NAN, 'is NAN, which JSON'];
        yield 'bytes' => [new Bytes('x'), 'is bytes, which JSON has no form for: use MessagePack'];
        yield 'a closure' => [static fn (): int => 1, "is a closure, which can't be sent."];
        yield 'a resource' => [fopen('php://memory', 'r'), "is a resource (stream), which can't be sent."];
        yield 'an object' => [new RuntimeException(), "is an object of class RuntimeException, which can't be sent"];
        yield 'Raw' => [new Raw('x'), 'is ' . Raw::class];
    }

    public function testAKeyThatIsNotUtf8IsAnError(): void
    {
        $this->expectException(EncodeFailed::class);
        $this->expectExceptionMessage("\$payload['a']['\\377'] has a key that is not UTF-8, which JSON has no form for: use MessagePack.");
        $this->codec->encode(['a' => ["\xff" => 1]]);
    }

    public function testNestingIsAtMost512Deep(): void
    {
        $nested = [];
        for ($level = 1; $level < 512; $level++) {
            $nested = [$nested];
        }
        self::assertSame($nested, $this->codec->decode($this->codec->encode($nested)));

        $object = new Crowd('x');
        for ($level = 1; $level <= 512; $level++) {
            $object = [$object];
        }
        self::assertSame(str_repeat('[', 512) . '"x"' . str_repeat(']', 512), $this->codec->encode($object));

        try {
            $this->codec->encode([$nested]);
            self::fail('No exception.');
        } catch (EncodeFailed $failure) {
            self::assertStringEndsWith('is nested more than 512 deep, or contains itself.', $failure->getMessage());
        }

        foreach ([str_repeat('[', 513) . str_repeat(']', 513), str_repeat('[', 100_000)] as $body) {
            try {
                $this->codec->decode($body);
                self::fail('No exception.');
            } catch (DecodeFailed $failure) {
                self::assertSame('$result is nested more than 512 deep.', $failure->getMessage());
            }
        }
    }

    public function testWhatContainsItselfIsAnError(): void
    {
        $array = ['a' => 1];
        $array['self'] = &$array;
        $object = new stdClass();
        $object->self = $object;
        $crowd = new Crowd(null);
        $crowd->members = $crowd;
        foreach ([$array, $object, $crowd] as $value) {
            try {
                $this->codec->encode($value);
                self::fail('No exception.');
            } catch (EncodeFailed $failure) {
                self::assertStringEndsWith('is nested more than 512 deep, or contains itself.', $failure->getMessage());
            }
        }
    }

    #[DataProvider('undecodable')]
    public function testWhatCannotBeDecodedIsAnError(string $body, string $message): void
    {
        $this->expectException(DecodeFailed::class);
        $this->expectExceptionMessage($message);
        $this->codec->decode($body);
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public static function undecodable(): iterable
    {
        yield 'no JSON' => ['{', '$result is malformed JSON: Syntax error.'];
        yield 'NaN as Python writes it' => ['NaN', '$result is malformed JSON: Syntax error.'];
        yield 'not UTF-8' => ["\"\xff\"", '$result is malformed JSON: Malformed UTF-8'];
        yield 'two values' => ['1 2', '$result is malformed JSON'];
        yield '2^63' => ['9223372036854775808', "\$result is the integer 9223372036854775808, which PHP can't hold"];
        yield 'less than the least int' => ['-9223372036854775809', '$result is the integer -9223372036854775809'];
        yield 'a great integer within' => [
            '{"a":[1e30,"99999999999999999999",18446744073709551616]}',
            "\$result['a'][2] is the integer 18446744073709551616, which PHP can't hold: let Python return it as str or float.",
        ];
    }

    public function testFloatsWithManyDigitsAreNoGreatIntegers(): void
    {
        self::assertSame(
            [0.1234567890123456, 1e25, '99999999999999999999'],
            $this->codec->decode('[0.12345678901234560000000,10000000000000000000000000.0,"99999999999999999999"]'),
        );
    }
}
