<?php

declare(strict_types=1);

namespace Reasno\GoTask\Pool;

use Psr\Log\LoggerInterface;
use Reasno\GoTask\Hints;
use Reasno\GoTask\Protocol\Key;
use Reasno\GoTask\Tls;

/**
 * What all connections of a client have in common. Times in seconds, sizes in bytes.
 *
 * @internal
 */
final class Settings
{
    public readonly Signatures $signatures;

    public function __construct(
        public readonly float $connectTimeout,
        public readonly int $minConnections,
        public readonly int $maxConnections,
        public readonly float $maxIdleTime,
        public readonly int $maxPayload,
        public readonly LoggerInterface $logger,
        public readonly ?Key $key = null,
        public readonly Tls $tls = new Tls(),
        public readonly Hints $hints = new Hints(),
    ) {
        $this->signatures = new Signatures($logger, $hints->generate);
    }
}
