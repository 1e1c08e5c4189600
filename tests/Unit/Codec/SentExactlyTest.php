<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use DateTime;
use DateTimeImmutable;
use DateTimeInterface;
use DateTimeZone;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\MessagePackExtension;
use Reasno\GoTask\Codec\Values;
use Reasno\GoTask\Exception\EncodeFailed;
use stdClass;

use function ini_get;
use function is_string;

/**
 * What a codec can't send as it is, it refuses by name; and encoding changes nothing of the caller's.
 */
#[CoversClass(Values::class)]
final class SentExactlyTest extends TestCase
{
    #[DataProvider('codecs')]
    public function testATimeThatPythonDoesNotHaveIsAnErrorThatNamesItsKey(MessagePackCodec $codec): void
    {
        foreach ([
            '11761191' => (new DateTimeImmutable())->setTimestamp(371_085_174_374_400),
            '-0001' => new DateTime('0000-00-00 00:00:00 UTC'),
            '0000' => new DateTimeImmutable('0001-01-01 00:00:00 +05:00'),
            '10000' => new DateTimeImmutable('9999-12-31 23:59:59 -05:00'),
            '292277026596' => (new DateTime())->setTimestamp(PHP_INT_MAX),
            '-292277022657' => (new DateTime())->setTimestamp(PHP_INT_MIN),
        ] as $year => $time) {
            self::assertRefused($codec, ['at' => [$time]], "\$payload['at'][0] is a time in the year {$year}; the years 1 to 9999, in UTC, can be sent.");
            self::assertRefused($codec, $time, "\$payload is a time in the year {$year}; the years 1 to 9999, in UTC, can be sent.");
        }
    }

    #[DataProvider('codecs')]
    public function testTheFirstAndTheLastTimeOfPythonAreSent(MessagePackCodec $codec): void
    {
        foreach (['0001-01-01 00:00:00.000000', '9999-12-31 23:59:59.999999'] as $text) {
            self::assertSame($text, self::utc($codec->decode($codec->encode(new DateTimeImmutable("{$text} UTC")))));
        }
    }

    #[DataProvider('codecs')]
    public function testATimeIsTheSameInstantWhateverItsZone(MessagePackCodec $codec): void
    {
        foreach ([
            // Local mean time, 53 minutes and 28 seconds ahead.
            [[1890, 1, 1, 0], 'Europe/Berlin', '1889-12-31 23:06:32.000000'],
            // The year 10000, and 0, in their own zones.
            [[10000, 1, 1, 3], '+05:00', '9999-12-31 22:00:00.000000'],
            [[0, 12, 31, 20], '-05:00', '0001-01-01 01:00:00.000000'],
        ] as [[$year, $month, $day, $hour], $zone, $expected]) {
            $time = (new DateTimeImmutable('now', new DateTimeZone($zone)))
                ->setDate($year, $month, $day)->setTime($hour, 0);
            self::assertSame($expected, self::utc($codec->decode($codec->encode($time))), $zone);
        }
    }

    #[DataProvider('codecs')]
    public function testATimeThatWasNeverSetIsAnErrorThatNamesItsKey(MessagePackCodec $codec): void
    {
        $unset = new class extends DateTime {
            public function __construct()
            {
            }
        };
        self::assertRefused($codec, ['at' => $unset], "\$payload['at'] can't be encoded: The DateTime object has not been correctly initialized");
    }

    #[DataProvider('codecs')]
    public function testWhatAClassHidesIsNeitherSentNorLeftOutWithoutAWord(MessagePackCodec $codec): void
    {
        $object = new class extends stdClass {
            public int $seen = 1;

            protected int $hidden = 2;
        };
        self::assertRefused($codec, [$object], 'is an object of class stdClass@anonymous, whose property hidden is not public: let it implement JsonSerializable, or send an array.');
    }

    #[DataProvider('codecs')]
    public function testTheVariablesOfTheCallerStayAsTheyAre(MessagePackCodec $codec): void
    {
        $time = new DateTimeImmutable('2026-01-01 UTC');
        $object = (object) ['a' => 1];
        $payload = ['time' => &$time, 'list' => [&$object]];
        $codec->encode($payload);
        self::assertSame(['DateTimeImmutable', 'stdClass'], array_map(get_debug_type(...), [$payload['time'], $payload['list'][0]]));
    }

    #[DataProvider('codecs')]
    public function testFloatsKeepAllTheirDigitsWhateverPhpIniSays(MessagePackCodec $codec): void
    {
        $precision = ini_set('serialize_precision', '5');
        try {
            $body = $codec->encode(['x' => 0.1 + 0.2, 'big' => 12345678.912345]);
            self::assertSame('5', ini_get('serialize_precision'));
        } finally {
            ini_set('serialize_precision', (string) $precision);
        }
        self::assertSame(['x' => 0.1 + 0.2, 'big' => 12345678.912345], $codec->decode($body));
    }

    /**
     * @return iterable<string, array{MessagePackCodec}>
     */
    public static function codecs(): iterable
    {
        yield 'MessagePack in PHP' => [new MessagePackCodec(false)];
        if (MessagePackExtension::isUsable()) {
            yield 'ext-msgpack' => [new MessagePackCodec(true)];
        }
    }

    private static function assertRefused(MessagePackCodec $codec, mixed $payload, string $message): void
    {
        try {
            $codec->encode($payload);
            self::fail('No exception.');
        } catch (EncodeFailed $failure) {
            self::assertStringContainsString($message, $failure->getMessage());
        }
    }

    private static function utc(mixed $time): string
    {
        $time = $time instanceof DateTimeInterface ? DateTimeImmutable::createFromInterface($time) : new DateTimeImmutable(is_string($time) ? $time : '');

        return $time->setTimezone(new DateTimeZone('UTC'))->format('Y-m-d H:i:s.u');
    }
}
