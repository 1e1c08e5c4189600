<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Swoole;

use Closure;
use Reasno\GoTask\Runtime\Probe;
use Swoole\Coroutine;

/**
 * A probe that a coroutine of its own waits for.
 *
 * @internal
 */
final class SwooleProbe implements Probe
{
    private ?bool $answered = null;

    /**
     * @param Closure(): bool $look waits for the answer
     */
    public function __construct(Closure $look)
    {
        Coroutine::create(function () use ($look): void {
            $this->answered = $look();
        });
    }

    public function isAnswered(): ?bool
    {
        return $this->answered;
    }
}
