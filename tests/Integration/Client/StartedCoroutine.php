<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use Swoole\Coroutine;
use Swoole\Coroutine\Channel;
use Throwable;

/**
 * A coroutine whose result, or what it threw, can be waited for.
 */
final class StartedCoroutine
{
    public readonly int $cid;

    private mixed $result = null;

    private readonly Channel $done;

    /**
     * @param Closure(): mixed $body
     */
    public function __construct(Closure $body)
    {
        $this->done = new Channel(1);
        $this->cid = (int) Coroutine::create(function () use ($body): void {
            try {
                $this->result = $body();
            } catch (Throwable $thrown) {
                $this->result = $thrown;
            }
            $this->done->close();
        });
    }

    /**
     * @return mixed what it returned or threw
     */
    public function await(): mixed
    {
        $this->done->pop(5);

        return $this->result;
    }
}
