<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec;

use Random\Randomizer;

/**
 * Values that come back from MessagePack as they were: null, scalars and arrays of such.
 */
final class RandomValues
{
    public function __construct(private readonly Randomizer $random)
    {
    }

    public function next(int $depth = 0): mixed
    {
        return match ($this->random->getInt(0, $depth < 3 ? 12 : 7)) {
            0 => null,
            1 => $this->random->getInt(0, 1) === 1,
            2 => $this->random->getInt(-40, 300),
            3 => $this->random->getInt(PHP_INT_MIN, PHP_INT_MAX) >> $this->random->getInt(0, 63),
            4 => [INF, -INF, 0.0, -0.0, 1e300, 0.1, -1.5][$this->random->getInt(0, 6)],
            5 => unpack('d', $this->random->getBytes(8)) ?: null,
            6 => $this->string(40),
            7 => $this->string(400),
            8, 9 => $this->list($depth),
            10, 11 => $this->map($depth),
            default => array_fill(0, $this->random->getInt(0, 400), $this->random->getInt(-200, 200)),
        };
    }

    private function string(int $most): string
    {
        $length = $this->random->getInt(0, $most);

        return $length === 0 ? '' : $this->random->getBytes($length);
    }

    /**
     * @return list<mixed>
     */
    private function list(int $depth): array
    {
        $list = [];
        for ($count = $this->random->getInt(0, 18); $count > 0; $count--) {
            $list[] = $this->next($depth + 1);
        }

        return $list;
    }

    /**
     * @return array<mixed>
     */
    private function map(int $depth): array
    {
        $map = [];
        for ($count = $this->random->getInt(0, 18); $count > 0; $count--) {
            $map[$this->random->getInt(0, 3) === 0 ? $this->random->getInt(-70_000, 70_000) : $this->string(40)] = $this->next($depth + 1);
        }

        return $map;
    }
}
