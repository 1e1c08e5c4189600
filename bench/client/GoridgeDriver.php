<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use RuntimeException;
use Spiral\Goridge\Relay;
use Spiral\Goridge\RPC\RPC;

use function class_exists;

/**
 * RoadRunner's client, spiral/goridge: its RPC waits for each answer, so there is never more than one call under way.
 */
final class GoridgeDriver implements Driver
{
    private readonly RPC $rpc;

    /**
     * @param string $autoload that of a project which has spiral/goridge
     */
    public function __construct(string $address, string $autoload)
    {
        class_exists(RPC::class) || require $autoload;
        $this->rpc = new RPC(Relay::create($address));
    }

    public function call(string $payload): void
    {
        if ($this->rpc->call('echo', $payload) !== $payload) {
            throw new RuntimeException('not the answer that was expected');
        }
    }
}
