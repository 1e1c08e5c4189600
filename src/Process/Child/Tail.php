<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

use function strlen;

/**
 * The end of a text that may be endless: what a process wrote last.
 *
 * @internal
 */
final class Tail
{
    private string $text = '';

    private bool $cut = false;

    /**
     * @param int $limit in bytes; up to twice as much is held
     */
    public function __construct(private readonly int $limit = 65_536)
    {
    }

    public function append(string $bytes): void
    {
        $this->text .= $bytes;
        // Cutting only at twice the limit keeps appending byte by byte linear.
        if (strlen($this->text) > 2 * $this->limit) {
            $this->text = substr($this->text, -$this->limit);
            $this->cut = true;
        }
    }

    /** The last lines, whole ones where something was cut off before them. */
    public function text(): string
    {
        if (! $this->cut && strlen($this->text) <= $this->limit) {
            return $this->text;
        }
        $text = substr($this->text, -$this->limit);
        $newline = strpos($text, "\n");

        return $newline === false ? $text : substr($text, $newline + 1);
    }
}
