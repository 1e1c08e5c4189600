<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Goridge\Fixtures;

enum Size: int
{
    case Large = 3;
}
