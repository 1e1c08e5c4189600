<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

use function strlen;

/**
 * Cuts a stream of bytes into lines, in bounded memory: a longer line comes in pieces.
 *
 * @internal
 */
final class LineReader
{
    private string $rest = '';

    /**
     * @param int $limit the longest line in bytes
     */
    public function __construct(private readonly int $limit = 1_048_576)
    {
    }

    /**
     * @return list<string> the lines that are complete now, without their ends
     */
    public function feed(string $bytes): array
    {
        $this->rest .= $bytes;
        if (! str_contains($bytes, "\n") && strlen($this->rest) <= $this->limit) {
            return [];
        }
        $lines = explode("\n", $this->rest);
        $this->rest = array_pop($lines);
        if (strlen($this->rest) > $this->limit) {
            array_push($lines, ...$this->flush());
        }

        return array_map(static fn (string $line): string => rtrim($line, "\r"), $lines);
    }

    /**
     * @return list<string> what came after the last line end, at most one line
     */
    public function flush(): array
    {
        $rest = $this->rest;
        $this->rest = '';

        return $rest === '' ? [] : [$rest];
    }
}
