<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec\Fixtures;

enum Suit: string
{
    case Hearts = 'H';
}
