<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Psr\Log\AbstractLogger;
use Stringable;

/**
 * Keeps what is logged.
 */
final class RecordingLogger extends AbstractLogger
{
    /** @var list<string> */
    public array $records = [];

    /**
     * @param mixed $level
     * @param array<array-key, mixed> $context
     */
    public function log($level, string|Stringable $message, array $context = []): void
    {
        $this->records[] = (string) $message;
    }
}
