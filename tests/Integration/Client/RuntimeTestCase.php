<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use ErrorException;
use PHPUnit\Framework\TestCase;
use Throwable;

use function hrtime;
use function sprintf;
use function strlen;

/**
 * Tests that run in one of the runtimes.
 */
abstract class RuntimeTestCase extends TestCase
{
    /**
     * Whether its callers can only run one after the other.
     */
    protected static function oneAtATime(): bool
    {
        return false;
    }

    /**
     * Runs a test in the runtime.
     *
     * @param Closure(): mixed $body
     */
    abstract protected function inRuntime(Closure $body): void;

    /**
     * Runs these at the same time, as far as the runtime can.
     *
     * @template TKey of array-key
     * @param array<TKey, Closure(): mixed> $bodies
     * @return array<TKey, mixed>
     */
    abstract protected function concurrently(array $bodies): array;

    /**
     * Makes exceptions also of suppressed warnings meanwhile, as error handlers do that compare error_reporting() with 0.
     *
     * @param Closure(): mixed $body
     */
    protected static function underAStrictHandler(Closure $body): void
    {
        set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
            throw new ErrorException($message, 0, $level, $file, $line);
        });

        try {
            $body();
        } finally {
            restore_error_handler();
        }
    }

    /**
     * @param Closure(): mixed $body
     */
    protected function runIn(Closure $body): void
    {
        $thrown = null;
        $this->inRuntime(static function () use ($body, &$thrown): void {
            try {
                $body();
            } catch (Throwable $thrown) {
            }
        });
        if ($thrown !== null) {
            throw $thrown;
        }
    }

    protected static function length(mixed $result): int
    {
        self::assertIsString($result);

        return strlen($result);
    }

    /**
     * That a call was given up whose peer, as a broker of ours, has 0.2 s to say how it ended.
     *
     * @param float $timeout seconds
     * @param int $start hrtime() in ns
     */
    protected static function assertExpired(float $timeout, int $start): void
    {
        self::assertElapsed($timeout + 0.2, $start);
    }

    /**
     * That this took no shorter, and is not for ever.
     *
     * @param float $expected seconds
     * @param int $start hrtime() in ns
     */
    protected static function assertElapsed(float $expected, int $start): void
    {
        $elapsed = (hrtime(true) - $start) / 1e9;
        self::assertGreaterThanOrEqual($expected - 0.002, $elapsed);
        self::assertLessThan($expected + 5.0, $elapsed, sprintf('%.3f s after %.3f s', $elapsed, $expected));
    }
}
