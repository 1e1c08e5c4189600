<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Process;

use Psr\Log\AbstractLogger;
use Stringable;

use function assert;
use function is_string;

final class RecordingLogger extends AbstractLogger
{
    /** @var list<array{level: string, message: string, context: array<array-key, mixed>}> */
    public array $records = [];

    public function log($level, string|Stringable $message, array $context = []): void
    {
        assert(is_string($level));
        $this->records[] = ['level' => $level, 'message' => (string) $message, 'context' => $context];
    }

    /**
     * @return list<string> as "level: message"
     */
    public function lines(): array
    {
        return array_map(static fn (array $record): string => "{$record['level']}: {$record['message']}", $this->records);
    }
}
