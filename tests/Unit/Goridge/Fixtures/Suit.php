<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Goridge\Fixtures;

enum Suit: string
{
    case Hearts = 'H';
}
