<?php

declare(strict_types=1);

/*
 * What of spiral/goridge is used by the benchmark, for the static analysis where it is not installed. Never included.
 */

namespace Spiral\Goridge {
    interface RelayInterface
    {
    }

    abstract class Relay implements RelayInterface
    {
        public static function create(string $connection): RelayInterface
        {
        }
    }
}

namespace Spiral\Goridge\RPC {
    use Spiral\Goridge\RelayInterface;

    class RPC
    {
        public function __construct(RelayInterface $relay)
        {
        }

        public function call(string $method, mixed $payload, mixed $options = null): mixed
        {
        }
    }
}
