<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use Random\Engine\Mt19937;
use Random\Randomizer;
use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Codec\MessagePackExtension;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\InvalidConfiguration;

use function chr;
use function extension_loaded;
use function strlen;

#[CoversClass(MessagePackCodec::class)]
#[CoversClass(MessagePackExtension::class)]
final class MessagePackExtensionCodecTest extends MessagePackCodecTestCase
{
    protected function createCodec(): MessagePackCodec
    {
        try {
            return new MessagePackCodec(true);
        } catch (InvalidConfiguration $exception) {
            self::assertFalse(extension_loaded('msgpack'), 'The extension is loaded but found to be unusable.');
            self::markTestSkipped($exception->getMessage());
        }
    }

    /**
     * Bodies with a few bytes changed: most of them malformed, and each of a form that the extension might take another way.
     */
    #[DataProvider('seeds')]
    public function testADamagedBodyGivesTheSameWithoutTheExtension(int $seed): void
    {
        $random = new Randomizer(new Mt19937($seed));
        $values = new RandomValues($random);
        $with = $this->createCodec();
        $without = new MessagePackCodec(false);
        for ($i = 0; $i < 15; $i++) {
            $value = $values->next();
            $body = $without->encode($value);
            self::assertSame(bin2hex($body), bin2hex($with->encode($value)));
            for ($j = 0; $j < 10; $j++) {
                $damaged = self::damage($random, $body);
                self::assertSame(
                    self::outcome($without, $damaged),
                    self::outcome($with, $damaged),
                    strlen($damaged) < 200 ? bin2hex($damaged) : '',
                );
            }
        }
    }

    /**
     * Strings of the bytes that begin a token, which text and numbers hardly ever give.
     */
    #[DataProvider('seeds')]
    public function testRandomTokensGiveTheSameWithoutTheExtension(int $seed): void
    {
        $random = new Randomizer(new Mt19937($seed));
        $with = $this->createCodec();
        $without = new MessagePackCodec(false);
        for ($i = 0; $i < 500; $i++) {
            $body = '';
            for ($length = $random->getInt(1, 30); $length > 0; $length--) {
                $body .= chr([0, $random->getInt(0x80, 0xBF), $random->getInt(0xC0, 0xDF), $random->getInt(0, 9), 0xFF][$random->getInt(0, 4)]);
            }

            self::assertSame(self::outcome($without, $body), self::outcome($with, $body), bin2hex($body));
        }
    }

    private static function damage(Randomizer $random, string $body): string
    {
        $at = $random->getInt(0, strlen($body) - 1);

        return match ($random->getInt(0, 3)) {
            0 => substr($body, 0, $at),
            1 => $body . $random->getBytes(1),
            2 => substr_replace($body, chr($random->getInt(0xC0, 0xDF)), $at, 1),
            default => substr_replace($body, $random->getBytes(1), $at, $random->getInt(0, 2)),
        };
    }

    private static function outcome(MessagePackCodec $codec, string $body): string
    {
        try {
            return serialize($codec->decode($body));
        } catch (DecodeFailed $failure) {
            return $failure->getMessage();
        }
    }
}
