<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use Psr\Log\AbstractLogger;
use Stringable;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Output\OutputInterface;

use function is_float;
use function is_scalar;
use function is_string;
use function sprintf;

/**
 * Log records as lines: for people, or as JSON for programs.
 */
final class ConsoleLogger extends AbstractLogger
{
    private const COLOURS = [
        'emergency' => 'red', 'alert' => 'red', 'critical' => 'red', 'error' => 'red', 'warning' => 'yellow', 'debug' => 'gray',
    ];

    public function __construct(private readonly OutputInterface $output, private readonly bool $json = false)
    {
    }

    public function log($level, string|Stringable $message, array $context = []): void
    {
        $level = is_scalar($level) ? (string) $level : 'info';
        $message = (string) $message;
        $time = is_float($context['time'] ?? null) ? $context['time'] : microtime(true);
        unset($context['time']);
        $record = ['time' => $time, 'level' => $level, 'message' => $message, 'context' => (object) $context];
        $this->output->writeln(
            $this->json ? Json::line($record) : $this->line($level, $message, $context, $time),
            ($this->json ? OutputInterface::OUTPUT_RAW : OutputInterface::OUTPUT_NORMAL)
                | ($level === 'debug' ? OutputInterface::VERBOSITY_VERBOSE : OutputInterface::VERBOSITY_NORMAL),
        );
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
        $line = sprintf('%s <fg=%s>%-8s</> %s', date('H:i:s', (int) $time), $colour, $level, OutputFormatter::escape("{$logger}: {$message}"))
            . OutputFormatter::escape($fields);

        return $traceback === '' ? $line : $line . "\n" . OutputFormatter::escape(rtrim($traceback));
    }
}
