<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

use Closure;
use Psr\Log\LoggerInterface;
use Psr\Log\LogLevel;

use function is_array;
use function is_string;
use function strlen;

/**
 * Reads what a managed broker writes: JSON lines on standard output, of which some are events in its life and the others
 * log records, and free text on standard error. Records and text go to the PSR-3 logger.
 *
 * @internal
 */
final class ManagedOutput
{
    private const LEVELS = [
        'debug' => LogLevel::DEBUG,
        'info' => LogLevel::INFO,
        'warning' => LogLevel::WARNING,
        'error' => LogLevel::ERROR,
        'critical' => LogLevel::CRITICAL,
    ];

    /** Bytes of text that are held back at most until the start is over. */
    private const HELD = 262_144;

    /** Bytes. */
    private const TAIL = 65_536;

    private readonly LineReader $stdout;

    private readonly LineReader $stderr;

    /** What it wrote last: up to twice TAIL, so that cutting costs little where single bytes come. */
    private string $tail = '';

    /** @var null|list<string> lines of standard error that wait for the start's outcome; null: they go straight on */
    private ?array $held = [];

    private int $size = 0;

    /**
     * @param Closure(array<array-key, mixed>): void $onEvent receives each event, with its name under "event", in its
     *                                                        place among the records
     */
    public function __construct(private readonly LoggerInterface $logger, private readonly Closure $onEvent)
    {
        $this->stdout = new LineReader();
        $this->stderr = new LineReader();
    }

    public function stdout(string $bytes): void
    {
        foreach ($this->stdout->feed($bytes) as $line) {
            $record = json_decode($line, true);
            $at = $record === null ? (int) strrpos($line, '{"event": ') : 0;
            if ($at > 0 && is_array($event = json_decode(substr($line, $at), true))) {
                // Python's sitecustomize, which ran before the broker, wrote an unfinished line.
                $this->text([substr($line, 0, $at)]);
                $record = $event;
            }
            if (! is_array($record) || array_is_list($record)) {
                // Not the broker's: something else printed it.
                $this->remember($line . "\n");
                $this->text([$line]);
            } elseif (isset($record['event'])) {
                ($this->onEvent)($record);
            } else {
                $this->log($record);
            }
        }
    }

    public function stderr(string $bytes): void
    {
        $this->remember($bytes);
        $this->text($this->stderr->feed($bytes));
    }

    /** The process has ended: unfinished lines count as lines. */
    public function end(): void
    {
        $this->text($this->stdout->flush());
        $this->text($this->stderr->flush());
    }

    /** The start has succeeded: logs what was held back, and from now on everything at once. */
    public function release(): void
    {
        $held = $this->held ?? [];
        $this->held = null;
        $this->text($held);
    }

    /** The last 64 KiB of its standard error. */
    public function tail(): string
    {
        $tail = substr($this->tail, -self::TAIL);

        // Whole lines, where something was cut off before them.
        return trim($tail === $this->tail ? $tail : (string) strstr($tail, "\n"), "\r\n");
    }

    private function remember(string $bytes): void
    {
        $this->tail .= $bytes;
        if (strlen($this->tail) > 2 * self::TAIL) {
            $this->tail = substr($this->tail, -self::TAIL - 1);
        }
    }

    /**
     * @param list<string> $lines
     */
    private function text(array $lines): void
    {
        foreach ($lines as $line) {
            if ($this->held !== null) {
                $this->held[] = $line;
                $this->size += strlen($line) + 1;
                if ($this->size > self::HELD) {
                    // All of it, in its order.
                    $this->release();
                }
            } elseif (trim($line) !== '') {
                $this->logger->notice(self::printable($line), ['logger' => 'stderr']);
            }
        }
    }

    /**
     * @param array<array-key, mixed> $record
     */
    private function log(array $record): void
    {
        $level = $record['level'] ?? null;
        $message = $record['message'] ?? '';
        $context = is_array($record['context'] ?? null) ? $record['context'] : [];
        foreach (['logger', 'time'] as $key) {
            if (isset($record[$key])) {
                $context[$key] ??= $record[$key];
            }
        }
        // PSR-3 keeps "exception" for a Throwable; this is Python's text. A worker that died leaves the stacks of its threads.
        $traceback = $record['exception'] ?? $context['stack'] ?? null;
        if ($traceback !== null) {
            $context['traceback'] ??= $traceback;
            unset($context['stack']);
        }
        $this->logger->log(
            is_string($level) ? self::LEVELS[$level] ?? LogLevel::INFO : LogLevel::INFO,
            is_string($message) ? $message : (string) json_encode($message),
            $context,
        );
    }

    private static function printable(string $line): string
    {
        return preg_match('//u', $line) === 1 ? $line : (string) preg_replace('/[^\x20-\x7e\t]/', '?', $line);
    }
}
