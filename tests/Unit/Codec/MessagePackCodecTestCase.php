<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use Closure;
use DateTime;
use DateTimeImmutable;
use DateTimeInterface;
use DateTimeZone;
use Generator;
use JsonSerializable;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Random\Engine\Mt19937;
use Random\Randomizer;
use Reasno\GoTask\Args;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Raw;
use Reasno\GoTask\Tests\Unit\Codec\Fixtures\Crowd;
use Reasno\GoTask\Tests\Unit\Codec\Fixtures\Size;
use Reasno\GoTask\Tests\Unit\Codec\Fixtures\Suit;
use RuntimeException;
use stdClass;

use function assert;
use function is_array;
use function sprintf;
use function strlen;

/**
 * What the codec does, whether ext-msgpack helps it or not.
 */
abstract class MessagePackCodecTestCase extends TestCase
{
    private MessagePackCodec $codec;

    protected function setUp(): void
    {
        $this->codec = $this->createCodec();
    }

    abstract protected function createCodec(): MessagePackCodec;

    public function testAnEmptyBodyIsNull(): void
    {
        self::assertNull($this->codec->decode(''));
    }

    #[DataProvider('values')]
    public function testAValueHasItsShortestFormAndComesBackTheSame(mixed $value, string $hex): void
    {
        // Alone, and among others: the two take different ways.
        foreach ([[$value, ''], [[$value], '91'], [['k' => $value], '81a16b']] as [$whole, $before]) {
            $body = $this->codec->encode($whole);
            self::assertSame($before . $hex, bin2hex($body));
            self::assertSame(var_export($whole, true), var_export($this->codec->decode($body), true));
        }
    }

    /**
     * @return iterable<string, array{mixed, string}>
     */
    public static function values(): iterable
    {
        yield 'null' => [null, 'c0'];
        yield 'false' => [false, 'c2'];
        yield 'true' => [true, 'c3'];
        foreach ([
            0 => '00',
            127 => '7f',
            128 => 'cc80',
            255 => 'ccff',
            256 => 'cd0100',
            65_535 => 'cdffff',
            65_536 => 'ce00010000',
            4_294_967_295 => 'ceffffffff',
            4_294_967_296 => 'cf0000000100000000',
            PHP_INT_MAX => 'cf7fffffffffffffff',
            -1 => 'ff',
            -32 => 'e0',
            -33 => 'd0df',
            -128 => 'd080',
            -129 => 'd1ff7f',
            -32_768 => 'd18000',
            -32_769 => 'd2ffff7fff',
            -2_147_483_648 => 'd280000000',
            -2_147_483_649 => 'd3ffffffff7fffffff',
            PHP_INT_MIN => 'd38000000000000000',
        ] as $value => $hex) {
            yield "int {$value}" => [$value, $hex];
        }
        yield 'float' => [1.5, 'cb3ff8000000000000'];
        yield 'float without a fraction' => [2.0, 'cb4000000000000000'];
        yield 'float -0' => [-0.0, 'cb8000000000000000'];
        yield 'the greatest float' => [PHP_FLOAT_MAX, 'cb7fefffffffffffff'];
        yield 'infinity' => [INF, 'cb7ff0000000000000'];
        yield 'minus infinity' => [-INF, 'cbfff0000000000000'];
        yield 'not a number' => [NAN, 'cb7ff8000000000000'];
        yield 'empty string' => ['', 'a0'];
        yield 'string' => ['größe', 'a76772c3b6c39f65'];
        yield 'string that is not UTF-8' => ["\xff\xfe\xc3", 'a3fffec3'];
        yield 'string with a null byte' => ["a\0b", 'a3610062'];
        foreach ([31 => 'bf', 32 => 'd920', 255 => 'd9ff', 256 => 'da0100', 65_535 => 'daffff', 65_536 => 'db00010000'] as $length => $head) {
            yield "string of {$length} bytes" => [str_repeat('x', $length), $head . str_repeat('78', $length)];
        }
        yield 'empty array' => [[], '90'];
        yield 'list' => [[1, 'a', null], '9301a161c0'];
        yield 'map' => [['a' => 1, 'b' => []], '82a16101a16290'];
        yield 'map with integer keys' => [[1 => 'a', -5 => 'b', 300 => 'c'], '8301a161fba162cd012ca163'];
        yield 'list that begins at 1' => [[1 => 'a', 2 => 'b'], '8201a16102a162'];
        yield 'map with an empty key' => [['' => 1], '81a001'];
        yield 'map with a key that is not UTF-8' => [["\xff" => 1], '81a1ff01'];
    }

    public function testAListOrMapOfEachSizeHasItsShortestFormAndComesBackTheSame(): void
    {
        foreach ([15 => '9f', 16 => 'dc0010', 65_535 => 'dcffff', 65_536 => 'dd00010000'] as $count => $head) {
            $this->testAValueHasItsShortestFormAndComesBackTheSame(array_fill(0, $count, 7), $head . str_repeat('07', $count));
        }
        foreach ([15 => '8f', 16 => 'de0010', 65_536 => 'df00010000'] as $count => $head) {
            $map = array_fill(0x10000, $count, 7);
            $keys = array_map(static fn (int $key): string => sprintf('ce%08x07', $key), array_keys($map));
            $this->testAValueHasItsShortestFormAndComesBackTheSame($map, $head . implode('', $keys));
        }
    }

    #[DataProvider('oneWay')]
    public function testAValueIsSentAsWhatStandsForIt(mixed $value, string $hex): void
    {
        foreach ([[$value, ''], [[$value], '91'], [['k' => $value], '81a16b'], [[[], 'a', $value], '9390a161']] as [$whole, $before]) {
            self::assertSame($before . $hex, bin2hex($this->codec->encode($whole)));
        }
    }

    /**
     * @return iterable<string, array{mixed, string}>
     */
    public static function oneWay(): iterable
    {
        yield 'no bytes' => [new Bytes(''), 'c400'];
        yield 'bytes' => [new Bytes("\x00\xff"), 'c40200ff'];
        foreach ([255 => 'c4ff', 256 => 'c50100', 65_535 => 'c5ffff', 65_536 => 'c600010000'] as $length => $head) {
            yield "{$length} bytes" => [new Bytes(str_repeat('x', $length)), $head . str_repeat('78', $length)];
        }
        yield 'empty object' => [new stdClass(), '80'];
        yield 'object' => [(object) ['a' => 1, 'b' => new stdClass()], '82a16101a16280'];
        yield 'object with the keys of a list' => [(object) ['x', 'y'], '8200a17801a179'];
        yield 'backed enum, string' => [Suit::Hearts, 'a148'];
        yield 'backed enum, int' => [Size::Large, '03'];
        yield 'what serializes to a map' => [new Crowd(['n' => 2]), '81a16e02'];
        yield 'what serializes to a list' => [new Crowd([1, 2]), '920102'];
        yield 'what serializes to nothing' => [new Crowd(null), 'c0'];
        yield 'what serializes to what serializes' => [new Crowd(new Crowd([new Crowd('x')])), '91a178'];
        yield 'what serializes to bytes' => [new Crowd(new Bytes('x')), 'c40178'];
        $number = 5;
        yield 'array of references' => [['n' => &$number], '81a16e05'];
    }

    #[DataProvider('times')]
    public function testATimeIsATimestampAndComesBackAsTheSameInstant(DateTimeInterface $time, string $hex): void
    {
        foreach ([[$time, ''], [[$time], '91']] as [$whole, $before]) {
            $body = $this->codec->encode($whole);
            self::assertSame($before . $hex, bin2hex($body));
            $decoded = $this->codec->decode($body);
            $decoded = is_array($decoded) ? $decoded[0] : $decoded;
            self::assertInstanceOf(DateTimeImmutable::class, $decoded);
            self::assertSame('UTC', $decoded->getTimezone()->getName());
            self::assertSame($time->format('U.u'), $decoded->format('U.u'));
        }
    }

    /**
     * @return iterable<string, array{DateTimeInterface, string}>
     */
    public static function times(): iterable
    {
        $utc = new DateTimeZone('UTC');
        yield 'the epoch' => [new DateTimeImmutable('1970-01-01', $utc), 'd6ff00000000'];
        yield '32 bits' => [new DateTimeImmutable('2026-11-23 12:00:00', $utc), 'd6ff6b042ac0'];
        yield 'the last of 32 bits' => [new DateTimeImmutable('2106-02-07 06:28:15', $utc), 'd6ffffffffff'];
        yield 'the first of 64 bits' => [new DateTimeImmutable('2106-02-07 06:28:16', $utc), 'd7ff0000000100000000'];
        yield 'microseconds' => [new DateTimeImmutable('1970-01-01 00:00:01.000001', $utc), 'd7ff00000fa000000001'];
        yield 'the greatest fraction' => [new DateTimeImmutable('1970-01-01 00:00:00.999999', $utc), 'd7ffee6b186000000000'];
        yield 'the last of 64 bits' => [new DateTimeImmutable('2514-05-30 01:53:03', $utc), 'd7ff00000003ffffffff'];
        yield 'the first of 96 bits' => [new DateTimeImmutable('2514-05-30 01:53:04', $utc), 'c70cff000000000000000400000000'];
        yield 'before the epoch' => [new DateTimeImmutable('1969-12-31 23:59:59', $utc), 'c70cff00000000ffffffffffffffff'];
        yield 'before the epoch, with a fraction' => [
            new DateTimeImmutable('1969-12-31 23:59:58.5', $utc),
            'c70cff1dcd6500fffffffffffffffe',
        ];
        yield 'the year 1' => [new DateTimeImmutable('0001-01-01', $utc), 'c70cff00000000fffffff1886e0900'];
        yield 'another zone' => [new DateTime('2026-11-23 20:00:00', new DateTimeZone('Asia/Shanghai')), 'd6ff6b042ac0'];
        yield 'one that serializes to something else' => [
            new class('@5') extends DateTimeImmutable implements JsonSerializable {
                public function jsonSerialize(): string
                {
                    return 'not this';
                }
            },
            'd6ff00000005',
        ];
    }

    public function testNanosecondsAreCutToMicroseconds(): void
    {
        $time = $this->codec->decode("\xd7\xff" . pack('J', 999_999_999 << 34 | 5));

        self::assertInstanceOf(DateTimeImmutable::class, $time);
        self::assertSame('5.999999', $time->format('U.u'));
    }

    #[DataProvider('decodable')]
    public function testWhatOthersMayPackIsDecoded(string $hex, mixed $expected): void
    {
        foreach (['' => $expected, '91' => [$expected], '81a16b' => ['k' => $expected]] as $before => $whole) {
            self::assertSame($whole, $this->codec->decode((string) hex2bin($before . $hex)));
        }
    }

    /**
     * @return iterable<string, array{string, mixed}>
     */
    public static function decodable(): iterable
    {
        yield 'float of 32 bits' => ['ca3fc00000', 1.5];
        yield 'zero in too long a form' => ['cf0000000000000000', 0];
        yield 'unsigned integer in too long a form' => ['cf0000000000000001', 1];
        yield 'signed integer in too long a form' => ['d30000000000000001', 1];
        yield 'positive integer in a signed form' => ['d17fff', 32_767];
        yield 'string in too long a form' => ['db0000000178', 'x'];
        yield 'list in too long a form' => ['dd00000001c0', [null]];
        yield 'map in too long a form' => ['df00000001a16b2a', ['k' => 42]];
        yield 'empty map' => ['80', []];
        yield 'empty map in a long form' => ['df00000000', []];
        yield 'no bytes' => ['c400', ''];
        yield 'bytes' => ['c40200ff', "\x00\xff"];
        yield 'bytes of 16 bits' => ['c5000178', 'x'];
        yield 'bytes of 32 bits' => ['c60000000178', 'x'];
        yield 'bytes that look like an extension' => ['c406d6ff00000001', "\xd6\xff\x00\x00\x00\x01"];
        yield 'string that looks like a great integer' => ['a9cfffffffffffffffff', "\xcf" . str_repeat("\xff", 8)];
        yield 'key that is bytes' => ['81c4016b01', ['k' => 1]];
        yield 'key that looks like an integer' => ['81a1350a', [5 => 10]];
        yield 'key null' => ['81c001', ['' => 1]];
        yield 'keys true and false' => ['82c301c202', [1 => 1, 0 => 2]];
        yield 'key that is a float' => ['81cb3ff800000000000001', ['1.5' => 1]];
        yield 'key that is a time' => ['81d6ff00000001a0', ['1970-01-01T00:00:01+00:00' => '']];
        yield 'the same key twice: the last' => ['82a16b01a16b02', ['k' => 2]];
        yield 'an object of PHP as ext-msgpack packs it' => ['82c0a8737464436c617373a16b01', ['' => 'stdClass', 'k' => 1]];
    }

    #[DataProvider('undecodable')]
    public function testWhatCannotBeDecodedIsAnError(string $hex, string $message): void
    {
        foreach (['' => '$result', '91' => '$result[0]', '9301a161' => '$result[2]', '81a16b' => "\$result['k']"] as $before => $path) {
            try {
                $value = $this->codec->decode((string) hex2bin($before . $hex));
                self::fail('No exception, but ' . var_export($value, true));
            } catch (DecodeFailed $failure) {
                self::assertStringContainsString($message, $failure->getMessage());
                if (! str_contains($message, 'the value ends')) {
                    self::assertStringStartsWith($path, $failure->getPath());
                    self::assertStringStartsWith($failure->getPath() . ' ', $failure->getMessage());
                }
            }
        }
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public static function undecodable(): iterable
    {
        $ends = 'is malformed: the body ends within it.';
        foreach (['91', '92ff', '81', '81a161', 'a1', 'bf78', 'c4', 'c401', 'c5', 'c500', 'c50001', 'c6', 'c6000000', 'c600000001',
            'c7', 'c70c', 'c70cff', 'c80001', 'c900000001', 'ca000000', 'cb00000000000000', 'cc', 'cd00', 'ce000000',
            'cf00000000000000', 'd0', 'd1ff', 'd2ffffff', 'd3ffffffffffffff', 'd4', 'd4ff', 'd6ff000000', 'd7ff00', 'd8ff', 'd9',
            'd901', 'da00', 'da0001', 'db000000', 'db00000001', 'dc', 'dc00', 'dc0001', 'dd000000', 'dd00000001', 'de00', 'de0001',
            'df000000', 'df00000001', 'df00000001a161'] as $hex) {
            yield "truncated: {$hex}" => [$hex, $ends];
        }
        yield 'string of 4 GiB' => ['dbffffffff', $ends];
        yield 'bytes of 4 GiB' => ['c6ffffffff78', $ends];
        yield 'list of 4 billion' => ['ddffffffffc0', $ends];
        yield 'map of 4 billion' => ['dfffffffffc0c0', $ends];
        yield 'the byte c1' => ['c1', '0xc1'];
        yield 'a second value' => ['c0c0', 'is malformed: the value ends at byte '];
        yield 'a second list' => ['909000', 'is malformed: the value ends at byte '];
        yield '2^63' => ['cf8000000000000000', 'is the unsigned integer 9223372036854775808, above PHP_INT_MAX'];
        yield '2^64-1' => ['cfffffffffffffffff', '18446744073709551615'];
        yield 'extension of 1 byte' => ['d40500', 'extension type 5'];
        yield 'extension of 2 bytes' => ['d5050000', 'extension type 5'];
        yield 'extension of 4 bytes' => ['d60500000000', 'extension type 5'];
        yield 'extension of 8 bytes' => ['d7050000000000000000', 'extension type 5'];
        yield 'extension of 16 bytes' => ['d805' . str_repeat('00', 16), 'extension type 5'];
        yield 'extension of 8 bits length' => ['c70105ff', 'extension type 5'];
        yield 'extension of 16 bits length' => ['c8000105ff', 'extension type 5'];
        yield 'extension of 32 bits length' => ['c90000000105ff', 'extension type 5'];
        yield 'extension of a negative type' => ['d4fe00', 'extension type -2'];
        yield 'timestamp of 5 bytes' => ['c705ff0000000000', 'timestamp of 5 bytes'];
        yield 'timestamp of 1 byte' => ['d4ff00', 'timestamp of 1 byte'];
        yield 'timestamp with a second of nanoseconds' => ['d7ffee6b280000000000', '1000000000 nanoseconds'];
        yield 'timestamp of 96 bits with 2^32-1 nanoseconds' => ['c70cffffffffff0000000000000000', '4294967295 nanoseconds'];
        yield 'key that is a list' => ['81910102', 'a key of type array'];
        yield 'key that is a map' => ['8181010203', 'a key of type array'];
        yield 'key that is a great integer' => ['81cfffffffffffffffff01', '18446744073709551615'];
    }

    #[DataProvider('unencodable')]
    public function testWhatCannotBeEncodedIsAnErrorThatSaysWhere(mixed $value, string $message): void
    {
        foreach ([
            ['$payload', $value],
            ['$payload[2]', [1, 'a', $value]],
            ["\$payload['a'][3]", ['a' => [0, 1, 2, $value]]],
            ["\$payload['it\\'s'][7]", (object) ["it's" => new Crowd([7 => $value])]],
        ] as [$path, $whole]) {
            try {
                $this->codec->encode($whole);
                self::fail('No exception.');
            } catch (EncodeFailed $failure) {
                self::assertSame($path, $failure->getPath());
                self::assertSame("{$path} {$message}", $failure->getMessage());
            }
        }
    }

    /**
     * @return iterable<string, array{mixed, string}>
     */
    public static function unencodable(): iterable
    {
        yield 'a closure' => [static fn (): int => 1, "is a closure, which can't be sent."];
        yield 'a resource' => [fopen('php://memory', 'r'), "is a resource (stream), which can't be sent."];
        $closed = fopen('php://memory', 'r');
        assert($closed !== false);
        fclose($closed);
        yield 'a closed resource' => [$closed, "is a resource (closed), which can't be sent."];
        yield 'an object' => [
            new RuntimeException(),
            "is an object of class RuntimeException, which can't be sent: let it implement JsonSerializable, or send an array.",
        ];
        yield 'a generator' => [
            (static fn (): Generator => yield 1)(),
            "is an object of class Generator, which can't be sent as a part of a payload: send iterator_to_array() of it, or give it to the call as its input.",
        ];
        yield 'an enum case without a value' => [
            Fixtures\Bare::One,
            'is ' . Fixtures\Bare::class . '::One, an enum case without a value: send its name.',
        ];
        yield 'Raw' => [new Raw('x'), 'is ' . Raw::class . ', which is a whole payload and not a part of one.'];
        yield 'Args' => [new Args(), 'is ' . Args::class . ', which is a whole payload and not a part of one.'];
        yield 'a serialization that fails' => [
            new Crowd(static fn (): never => throw new RuntimeException('no time')),
            "can't be encoded: " . Crowd::class . '::jsonSerialize() threw RuntimeException: no time',
        ];
    }

    public function testTheCauseOfAFailedSerializationIsKept(): void
    {
        $cause = new RuntimeException('no time');

        try {
            $this->codec->encode([new Crowd(static fn (): never => throw $cause)]);
            self::fail('No exception.');
        } catch (EncodeFailed $failure) {
            self::assertSame($cause, $failure->getPrevious());
        }
    }

    #[TestWith([65_535])]
    #[TestWith([65_536])]
    #[TestWith([65_537])]
    #[TestWith([300_000])]
    public function testLargeStringsHaveTheirPlaceInWhatTheyStandIn(int $length): void
    {
        $x = str_repeat('x', $length);
        [$string, $binary] = $length < 65_536
            ? [pack('Cn', 0xDA, $length) . $x, pack('Cn', 0xC5, $length) . $x]
            : [pack('CN', 0xDB, $length) . $x, pack('CN', 0xC6, $length) . $x];
        $list = "\x94\x01{$string}{$binary}\xa1a";
        self::assertTrue($this->codec->encode([1, $x, new Bytes($x), 'a']) === $list);
        self::assertTrue($this->codec->decode($list) === [1, $x, $x, 'a']);
        $map = "\x84\xa1a{$string}\x05\x91{$binary}\xa1b{$binary}\xa1c\xc0";
        self::assertTrue($this->codec->encode(['a' => $x, 5 => [new Bytes($x)], 'b' => new Bytes($x), 'c' => null]) === $map);
        self::assertTrue($this->codec->decode($map) === ['a' => $x, 5 => [$x], 'b' => $x, 'c' => null]);
        $plain = "\x82\xa1a{$string}\x05\x91{$string}";
        self::assertTrue($this->codec->encode(['a' => $x, 5 => [$x]]) === $plain);
    }

    public function testNestingIsAtMost512DeepWhenEncoding(): void
    {
        self::assertSame(str_repeat("\x91", 511) . "\x90", $this->codec->encode(self::nested(512)));
        self::assertSame(
            str_repeat("\x91", 511) . "\x91\xc4\x01x",
            $this->codec->encode(self::nested(512, [new Bytes('x')])),
        );

        foreach ([self::nested(513), self::nested(514, new Bytes('x')), self::nested(100_000)] as $value) {
            $this->assertTooDeep(fn () => $this->codec->encode($value));
        }
    }

    public function testNestingOfMapsAndObjectsIsAtMost512DeepWhenEncoding(): void
    {
        foreach ([
            static fn (mixed $value): array => ['k' => $value],
            static fn (mixed $value): stdClass => (object) ['k' => $value],
            static fn (mixed $value): Crowd => new Crowd(['k' => $value]),
        ] as $wrap) {
            $value = 5;
            for ($level = 1; $level <= 512; $level++) {
                $value = $wrap($value);
            }
            self::assertSame(str_repeat("\x81\xa1k", 512) . "\x05", $this->codec->encode($value));
            $this->assertTooDeep(fn () => $this->codec->encode($wrap($value)));
        }
    }

    public function testWhatContainsItselfIsAnError(): void
    {
        $array = ['a' => 1];
        $array['self'] = &$array;
        $this->assertTooDeep(fn () => $this->codec->encode($array), "\$payload['self']");

        $twice = [];
        $twice = [&$twice, &$twice];
        $this->assertTooDeep(fn () => $this->codec->encode($twice));

        $object = new stdClass();
        $object->self = $object;
        $this->assertTooDeep(fn () => $this->codec->encode($object));

        $crowd = new Crowd(null);
        $crowd->members = $crowd;
        $this->assertTooDeep(fn () => $this->codec->encode($crowd));
        $crowd->members = [$crowd];
        $this->assertTooDeep(fn () => $this->codec->encode($crowd));
    }

    #[DataProvider('nestings')]
    public function testNestingIsAtMost512DeepWhenDecoding(string $open, string $innermost): void
    {
        self::assertIsArray($this->codec->decode(str_repeat($open, 511) . $innermost));

        foreach ([512, 600, 1_023, 1_024, 100_000] as $levels) {
            try {
                $this->codec->decode(str_repeat($open, $levels) . $innermost);
                self::fail('No exception.');
            } catch (DecodeFailed $failure) {
                self::assertStringEndsWith('is nested more than 512 deep.', $failure->getMessage());
            }
        }
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public static function nestings(): iterable
    {
        yield 'lists' => ["\x91", "\x90"];
        yield 'maps' => ["\x81\xa1k", "\x80"];
        yield 'lists of one level more' => ["\xdc\x00\x01", "\x91\xc0"];
        yield 'maps of 32 bits' => ["\xdf\x00\x00\x00\x01\x00", "\x90"];
    }

    public function testNestingOfKeysIsBoundedToo(): void
    {
        $this->expectException(DecodeFailed::class);
        $this->expectExceptionMessage('is nested more than 512 deep.');
        $this->codec->decode(str_repeat("\x81", 100_000));
    }

    public function testAKeyThatCannotBeDecodedIsAnErrorOfItsMap(): void
    {
        $this->expectException(DecodeFailed::class);
        $this->expectExceptionMessage("\$result['m'] is a map with a key of type array, which a PHP array can't have.");
        $this->codec->decode("\x81\xa1m\x82\xa1a\x01\x90\x02");
    }

    /**
     * Each of the lists declares 65 535 elements, for which ext-msgpack would reserve a mebibyte.
     */
    public function testNothingIsAllocatedForElementsThatAreOnlyDeclared(): void
    {
        $bodies = [
            "\xdd\xff\xff\xff\xff\xc0",
            "\xdf\xff\xff\xff\xff\xc0\xc0",
            str_repeat("\xdc\xff\xff\x01", 500),
            str_repeat("\xdd\xff\xff\xff\xff\x01", 500),
            str_repeat("\xde\xff\xff\x01\x01\x02", 500),
            '' . "\x92" . str_repeat("\xdc\xff\xff\x01", 500),
            "\xdc\xff\xff" . str_repeat("\xdc\xff\xff\x01", 500),
        ];
        foreach ($bodies as $body) {
            memory_reset_peak_usage();
            $before = memory_get_usage();

            try {
                $this->codec->decode($body);
                self::fail('No exception.');
            } catch (DecodeFailed) {
                self::assertLessThan($before + 4_000_000, memory_get_peak_usage());
            }
        }
    }

    public function testAListWithManyElementsOfEachKindComesBackTheSame(): void
    {
        $values = [];
        for ($i = 0; $i < 3_000; $i++) {
            $values[] = ['id' => $i, 'score' => $i / 7, 'name' => str_repeat('n', $i % 300), 'tags' => range(0, $i % 20), 'ok' => $i % 2 === 0];
        }

        self::assertSame($values, $this->codec->decode($this->codec->encode($values)));
    }

    #[DataProvider('seeds')]
    public function testARandomValueComesBackTheSame(int $seed): void
    {
        $values = new RandomValues(new Randomizer(new Mt19937($seed)));
        for ($i = 0; $i < 50; $i++) {
            $value = $values->next();
            self::assertSame(serialize($value), serialize($this->codec->decode($this->codec->encode($value))));
        }
    }

    /**
     * @return iterable<string, array{int}>
     */
    public static function seeds(): iterable
    {
        for ($seed = 1; $seed <= 20; $seed++) {
            yield "seed {$seed}" => [$seed];
        }
    }

    public function testWarningsOfTheApplicationAreLeftAlone(): void
    {
        $handler = static fn (): bool => true;
        set_error_handler($handler);

        try {
            $this->codec->decode("\x92\x01");
        } catch (DecodeFailed) {
        } finally {
            $current = set_error_handler(null);
            restore_error_handler();
            restore_error_handler();
        }

        self::assertSame($handler, $current);
    }

    private static function nested(int $levels, mixed $innermost = []): mixed
    {
        for ($level = 1; $level < $levels; $level++) {
            $innermost = [$innermost];
        }

        return $innermost;
    }

    /**
     * @param Closure(): mixed $encode
     */
    private function assertTooDeep(Closure $encode, string $path = '$payload'): void
    {
        try {
            $encode();
            self::fail('No exception.');
        } catch (EncodeFailed $failure) {
            self::assertTrue(str_starts_with($failure->getMessage(), $path), $failure->getMessage());
            self::assertStringEndsWith('is nested more than 512 deep, or contains itself.', $failure->getMessage());
            self::assertLessThan(200, strlen($failure->getMessage()));
        }
    }
}
