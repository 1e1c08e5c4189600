<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf;

use Psr\Log\AbstractLogger;
use Psr\Log\LoggerInterface;
use Psr\Log\LogLevel;
use Reasno\GoTask\Console\Terminal;
use Stringable;
use Throwable;

use function in_array;
use function is_string;

/**
 * A worker's records go to a channel as they are. The worker's own life, what it prints and what is wrong are to be seen on the
 * console too, among what Hyperf says of its other processes; the log_level of Hyperf's console logger says which of it.
 *
 * @internal
 */
class WorkerLogger extends AbstractLogger
{
    protected const URGENT = [LogLevel::ERROR, LogLevel::CRITICAL, LogLevel::ALERT, LogLevel::EMERGENCY];

    /** Loggers whose records all go to the console: the worker's life cycle, and what it prints. */
    protected const SEEN = ['gotask', 'stderr'];

    /**
     * @param string $worker its name
     * @param null|LoggerInterface $channel null: everything goes to the console
     */
    public function __construct(
        protected readonly string $worker,
        protected readonly ?LoggerInterface $channel,
        protected readonly LoggerInterface $console,
    ) {
    }

    public function log($level, string|Stringable $message, array $context = []): void
    {
        $context = ['worker' => $this->worker] + $context;
        try {
            $this->channel?->log($level, $message, $context);
            if ($this->channel === null || in_array($context['logger'] ?? null, self::SEEN, true) || in_array($level, self::URGENT, true)) {
                $this->console->log($level, $this->line((string) $message, $context), []);
            }
        } catch (Throwable) {
            // A full disk must not end what watches the worker.
        }
    }

    /**
     * Hyperf's console logger takes nothing but text in a context, and looks for placeholders in messages.
     *
     * @param array<array-key, mixed> $context
     */
    protected function line(string $message, array $context): string
    {
        $logger = is_string($context['logger'] ?? null) && ! in_array($context['logger'], self::SEEN, true) ? " {$context['logger']}" : '';
        $traceback = is_string($context['traceback'] ?? null) ? "\n" . rtrim($context['traceback']) : '';

        // The console's logger obeys Symfony's tags, and the terminal control characters.
        return Terminal::paragraph("[gotask.{$this->worker}]{$logger} {$message}") . Terminal::text($traceback);
    }
}
