<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec\Fixtures;

enum Size: int
{
    case Large = 3;
}
