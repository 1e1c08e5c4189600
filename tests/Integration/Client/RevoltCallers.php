<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use Revolt\EventLoop;
use Throwable;

use function array_map;
use function count;

/**
 * Callers that are fibers of Revolt's loop.
 */
trait RevoltCallers
{
    protected function inRuntime(Closure $body): void
    {
        EventLoop::queue($body);
        EventLoop::run();
    }

    protected function concurrently(array $bodies): array
    {
        $left = count($bodies);
        $results = array_map(static fn (): mixed => null, $bodies);
        $suspension = EventLoop::getSuspension();
        foreach ($bodies as $key => $body) {
            EventLoop::queue(static function () use ($key, $body, &$results, &$left, $suspension): void {
                try {
                    $results[$key] = $body();
                } catch (Throwable $thrown) {
                    $results[$key] = $thrown;
                }
                if (--$left === 0) {
                    $suspension->resume();
                }
            });
        }
        $suspension->suspend();
        foreach ($results as $result) {
            if ($result instanceof Throwable) {
                throw $result;
            }
        }

        return $results;
    }
}
