<?php

declare(strict_types=1);

/**
 * What the quickstart shows: with colour and a moving progress bar on a terminal, as plain lines elsewhere.
 */
final class Screen
{
    private const BAR = 30;

    private readonly bool $terminal;

    public function __construct()
    {
        $this->terminal = stream_isatty(STDOUT);
    }

    public function title(string $text): void
    {
        echo "\n", $this->terminal ? "\e[1;32m{$text}\e[0m" : $text, "\n";
    }

    public function line(string $format, float|int|string ...$values): void
    {
        echo $this->terminal ? "\r\e[K" : '', '  ', sprintf($format, ...$values), "\n";
    }

    public function quote(string $text): void
    {
        foreach (explode("\n", rtrim($text)) as $line) {
            echo $this->terminal ? "  \e[2m| {$line}\e[0m\n" : "  | {$line}\n";
        }
    }

    public function progress(string $what, int $done, int $of): void
    {
        if ($this->terminal) {
            $filled = intdiv(self::BAR * $done, $of);
            printf("\r  %-15s [%s%s] %d/%d", $what, str_repeat('#', $filled), str_repeat('.', self::BAR - $filled), $done, $of);
        }
    }
}
