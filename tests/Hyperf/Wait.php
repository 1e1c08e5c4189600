<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Hyperf;

use Closure;
use PHPUnit\Framework\AssertionFailedError;

final class Wait
{
    /**
     * @param Closure(): bool $condition
     * @param float $timeout seconds
     * @param null|Closure(): string $message what is wrong where it never comes true
     */
    public static function until(Closure $condition, float $timeout, ?Closure $message = null): void
    {
        $until = microtime(true) + $timeout;
        while (! $condition()) {
            if (microtime(true) > $until) {
                throw new AssertionFailedError($message === null ? 'what was waited for did not happen' : $message());
            }
            usleep(10_000);
        }
    }
}
