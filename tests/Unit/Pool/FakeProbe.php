<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Pool;

use Closure;
use Reasno\GoTask\Runtime\Probe;

final class FakeProbe implements Probe
{
    /**
     * @param Closure(): ?bool $answered
     */
    public function __construct(private readonly Closure $answered)
    {
    }

    public function isAnswered(): ?bool
    {
        return ($this->answered)();
    }
}
