<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Protocol;

use PHPUnit\Framework\TestCase;
use Random\Engine\Mt19937;
use Random\Randomizer;
use Reasno\GoTask\Protocol\SendBuffer;

use function str_repeat;
use function strlen;
use function substr;

/**
 * @internal
 */
final class SendBufferTest extends TestCase
{
    public function testSmallFramesLeaveTogether(): void
    {
        $buffer = new SendBuffer();
        $buffer->append('ab');
        $buffer->append('cd');
        self::assertSame(['abcd', 4], [$buffer->next(), $buffer->length]);
        $buffer->advance(3);
        $buffer->append('ef');
        self::assertSame(['def', 3], [$buffer->next(), $buffer->length]);
        $buffer->advance(3);
        self::assertSame(['', 0], [$buffer->next(), $buffer->length]);
    }

    public function testALargeFrameThatIsNotBegunCanBeTakenOut(): void
    {
        $buffer = new SendBuffer();
        $buffer->append('small');
        foreach (['a', 'b', 'c'] as $body) {
            $buffer->appendLarge('head', str_repeat($body, 300_000));
            $buffer->append($body);
        }
        $buffer->advance(2);
        self::assertFalse($buffer->remove(3, 5));
        self::assertFalse($buffer->remove(0, 300_004));
        self::assertTrue($buffer->remove(3 + 300_005, 300_004));
        self::assertTrue($buffer->remove(3, 300_004));
        self::assertFalse($buffer->remove(3, 300_004));
        self::assertSame(3 + 2 + 300_005, $buffer->length);
        $bytes = '';
        while ($buffer->length > 0) {
            $bytes .= $next = $buffer->next();
            $buffer->advance(strlen($next));
        }
        self::assertTrue($bytes === 'allabhead' . str_repeat('c', 300_000) . 'c');
    }

    public function testTheFirstPieceCountsAsBegun(): void
    {
        $buffer = new SendBuffer();
        $buffer->appendLarge('head', str_repeat('a', 300_000));
        self::assertFalse($buffer->remove(0, 300_004));
        $buffer->advance(4);
        self::assertFalse($buffer->remove(-4, 300_004));
        self::assertSame(300_000, $buffer->length);
    }

    public function testBytesComeOutAsTheyWentInHoweverTheyAreWritten(): void
    {
        $random = new Randomizer(new Mt19937(7));
        for ($round = 0; $round < 50; $round++) {
            $buffer = new SendBuffer();
            $in = $out = '';
            while (strlen($in) < 2_000_000 || $buffer->length > 0) {
                if (strlen($in) < 2_000_000 && $random->getInt(0, 1) === 1) {
                    $frame = str_repeat((string) $random->getInt(0, 9), $random->getInt(0, 5) === 0 ? $random->getInt(60_000, 900_000) : $random->getInt(1, 200));
                    $in .= $frame;
                    $buffer->append($frame);
                }
                $next = $buffer->next();
                if ($next !== '') {
                    $written = $random->getInt(1, strlen($next));
                    $out .= substr($next, 0, $written);
                    $buffer->advance($written);
                }
                self::assertSame(strlen($in) - strlen($out), $buffer->length);
            }
            self::assertTrue($in === $out);
        }
    }
}
