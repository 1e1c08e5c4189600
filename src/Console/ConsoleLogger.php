<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use Psr\Log\AbstractLogger;
use Stringable;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Output\StreamOutput;

use function is_float;
use function is_scalar;
use function is_string;
use function sprintf;

/**
 * Log records as lines: for people, or as JSON for programs. A record's further lines are indented, so that each begins with a
 * time. Nothing here waits for a reader; see LogStream.
 *
 * @internal
 */
final class ConsoleLogger extends AbstractLogger
{
    private const COLOURS = [
        'emergency' => 'red', 'alert' => 'red', 'critical' => 'red', 'error' => 'red', 'warning' => 'yellow', 'debug' => 'gray',
    ];

    private readonly ?LogStream $stream;

    public function __construct(private readonly OutputInterface $output, private readonly bool $json = false)
    {
        $this->stream = $output instanceof StreamOutput ? new LogStream($output->getStream()) : null;
    }

    public function log($level, string|Stringable $message, array $context = []): void
    {
        $level = is_scalar($level) ? (string) $level : 'info';
        if ($this->output->isQuiet() || $level === 'debug' && ! $this->output->isVerbose()) {
            return;
        }
        $time = is_float($context['time'] ?? null) ? $context['time'] : microtime(true);
        unset($context['time']);
        $this->write($level, (string) $message, $context, $time);
        $this->flush();
    }

    /**
     * Writes what nobody has read yet, and says what was dropped meanwhile.
     *
     * @param float $timeout seconds to wait for a reader
     */
    public function flush(float $timeout = 0.0): void
    {
        $this->stream?->flush($timeout);
        $dropped = $this->stream?->dropped() ?? 0;
        if ($dropped > 0) {
            $this->write('warning', "{$dropped} log records were dropped here, since nobody read the output of this process", [], microtime(true));
        }
    }

    /**
     * @param array<array-key, mixed> $context
     */
    private function write(string $level, string $message, array $context, float $time): void
    {
        $record = ['time' => $time, 'level' => $level, 'message' => $message, 'context' => (object) $context];
        $line = $this->json ? Json::line($record) : (string) $this->output->getFormatter()->format($this->line($level, $message, $context, $time));
        if ($this->stream !== null) {
            $this->stream->write($line . "\n");
        } else {
            $this->output->writeln($line, OutputInterface::OUTPUT_RAW);
        }
    }

    /**
     * @param array<array-key, mixed> $context
     */
    private function line(string $level, string $message, array $context, float $time): string
    {
        $logger = is_string($context['logger'] ?? null) ? $context['logger'] : 'gotask';
        $traceback = is_string($context['traceback'] ?? null) ? $context['traceback'] : '';
        unset($context['logger'], $context['traceback']);
        $fields = '';
        foreach ($context as $key => $value) {
            $fields .= " {$key}=" . Json::line($value);
        }
        $colour = self::COLOURS[$level] ?? 'green';
        $line = sprintf('%s <fg=%s>%-8s</> %s', date('H:i:s', (int) $time), $colour, $level, Terminal::paragraph("{$logger}: {$message}"))
            . Terminal::line($fields);

        return $traceback === '' ? $line : $line . Terminal::paragraph("\n" . rtrim($traceback));
    }
}
