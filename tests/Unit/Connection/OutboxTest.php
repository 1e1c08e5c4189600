<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Connection;

use PHPUnit\Framework\TestCase;
use Random\Engine\Mt19937;
use Random\Randomizer;
use Reasno\GoTask\Connection\Outbox;

use function str_repeat;
use function strlen;
use function substr;

/**
 * @internal
 */
final class OutboxTest extends TestCase
{
    public function testSmallFramesLeaveTogether(): void
    {
        $outbox = new Outbox();
        $outbox->append('ab');
        $outbox->append('cd');
        self::assertSame(['abcd', 4], [$outbox->next(), $outbox->length]);
        $outbox->advance(3);
        $outbox->append('ef');
        self::assertSame(['def', 3], [$outbox->next(), $outbox->length]);
        $outbox->advance(3);
        self::assertSame(['', 0], [$outbox->next(), $outbox->length]);
    }

    public function testALargeFrameThatIsNotBegunCanBeTakenOut(): void
    {
        $outbox = new Outbox();
        $outbox->append('small');
        foreach (['a', 'b', 'c'] as $body) {
            $outbox->appendLarge('head', str_repeat($body, 300_000));
            $outbox->append($body);
        }
        $outbox->advance(2);
        self::assertFalse($outbox->remove(3, 5));
        self::assertFalse($outbox->remove(0, 300_004));
        self::assertTrue($outbox->remove(3 + 300_005, 300_004));
        self::assertTrue($outbox->remove(3, 300_004));
        self::assertFalse($outbox->remove(3, 300_004));
        self::assertSame(3 + 2 + 300_005, $outbox->length);
        $bytes = '';
        while ($outbox->length > 0) {
            $bytes .= $next = $outbox->next();
            $outbox->advance(strlen($next));
        }
        self::assertTrue($bytes === 'allabhead' . str_repeat('c', 300_000) . 'c');
    }

    public function testTheFirstPieceCountsAsBegun(): void
    {
        $outbox = new Outbox();
        $outbox->appendLarge('head', str_repeat('a', 300_000));
        self::assertFalse($outbox->remove(0, 300_004));
        $outbox->advance(4);
        self::assertFalse($outbox->remove(-4, 300_004));
        self::assertSame(300_000, $outbox->length);
    }

    public function testWhatWasBegunElsewhereGoesFirst(): void
    {
        $outbox = new Outbox();
        $outbox->append('later');
        $outbox->prepend('begun', 3);
        self::assertSame(['un', 7], [$outbox->next(), $outbox->length]);
        $outbox->advance(2);
        self::assertSame('later', $outbox->next());
        $outbox->clear();
        self::assertSame(['', 0], [$outbox->next(), $outbox->length]);
    }

    public function testBytesComeOutAsTheyWentInHoweverTheyAreWritten(): void
    {
        $random = new Randomizer(new Mt19937(7));
        for ($round = 0; $round < 50; $round++) {
            $outbox = new Outbox();
            $in = $out = '';
            while (strlen($in) < 2_000_000 || $outbox->length > 0) {
                if (strlen($in) < 2_000_000 && $random->getInt(0, 1) === 1) {
                    $frame = str_repeat((string) $random->getInt(0, 9), $random->getInt(0, 5) === 0 ? $random->getInt(60_000, 900_000) : $random->getInt(1, 200));
                    $in .= $frame;
                    $outbox->append($frame);
                }
                $next = $outbox->next();
                if ($next !== '') {
                    $written = $random->getInt(1, strlen($next));
                    $out .= substr($next, 0, $written);
                    $outbox->advance($written);
                }
                self::assertSame(strlen($in) - strlen($out), $outbox->length);
            }
            self::assertTrue($in === $out);
        }
    }
}
