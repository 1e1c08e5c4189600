<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Platform;

use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Platform\Memory;

use function gc_mem_caches;
use function ini_get;
use function ini_set;
use function memory_get_usage;

/**
 * @internal
 */
final class MemoryTest extends TestCase
{
    private string $limit;

    protected function setUp(): void
    {
        $this->limit = (string) ini_get('memory_limit');
    }

    protected function tearDown(): void
    {
        ini_set('memory_limit', $this->limit);
    }

    public function testWithoutALimitThereIsAlwaysRoom(): void
    {
        ini_set('memory_limit', '-1');
        self::assertTrue(Memory::canHold(1 << 50));
    }

    public function testALimitInAnyUnitIsKept(): void
    {
        // What other tests have left there counts as room.
        gc_mem_caches();
        $room = memory_get_usage(true) + 40 * 1024 * 1024;
        foreach ([(string) $room, (int) ($room / 1024) . 'K', (int) ($room / 1024 / 1024) . 'm'] as $limit) {
            ini_set('memory_limit', $limit);
            self::assertTrue(Memory::leaves(30 * 1024 * 1024), $limit);
            self::assertFalse(Memory::leaves(41 * 1024 * 1024), $limit);
            // A payload is held as pieces, as a whole and decoded.
            self::assertTrue(Memory::canHold(10 * 1024 * 1024), $limit);
            self::assertFalse(Memory::canHold(14 * 1024 * 1024), $limit);
        }
    }
}
