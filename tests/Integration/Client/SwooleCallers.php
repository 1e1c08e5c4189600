<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use Swoole\Coroutine;
use Swoole\Coroutine\Channel;
use Throwable;

use function array_map;
use function count;
use function Swoole\Coroutine\run;

use const SWOOLE_HOOK_ALL;
use const SWOOLE_HOOK_PROC;

/**
 * Callers that are Swoole's coroutines.
 */
trait SwooleCallers
{
    protected function inRuntime(Closure $body): void
    {
        // The peer is started and ended inside and outside of coroutines.
        Coroutine::set(['hook_flags' => SWOOLE_HOOK_ALL & ~SWOOLE_HOOK_PROC]);
        run($body);
    }

    protected function concurrently(array $bodies): array
    {
        $left = count($bodies);
        $results = array_map(static fn (): mixed => null, $bodies);
        $done = new Channel(1);
        foreach ($bodies as $key => $body) {
            Coroutine::create(static function () use ($key, $body, &$results, &$left, $done): void {
                try {
                    $results[$key] = $body();
                } catch (Throwable $thrown) {
                    $results[$key] = $thrown;
                }
                if (--$left === 0) {
                    $done->push(true);
                }
            });
        }
        $done->pop();
        foreach ($results as $result) {
            if ($result instanceof Throwable) {
                throw $result;
            }
        }

        return $results;
    }
}
