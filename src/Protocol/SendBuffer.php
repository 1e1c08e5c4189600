<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use function array_key_last;
use function array_shift;
use function array_splice;
use function strlen;
use function substr;

/**
 * Bytes that wait to be written, in order.
 *
 * Small frames are gathered into pieces, so that many leave in one write. A large one stays the piece it is, and is handed
 * out slice by slice: what has been written of it is never copied again.
 *
 * @internal
 */
final class SendBuffer
{
    /** Bytes: nothing more is appended to a piece of this size. A power of two that any socket buffer holds. */
    public const PIECE = 65_536;

    /** Bytes handed out at a time of a large piece: no less than a socket buffer holds. */
    private const SLICE = 262_144;

    /** Bytes that wait. */
    public int $length = 0;

    /** @var array<int, string> in order, without gaps */
    private array $pieces = [];

    /** Bytes of the first piece that are written. */
    private int $offset = 0;

    public function append(string $bytes): void
    {
        $this->length += strlen($bytes);
        $last = array_key_last($this->pieces);
        if ($last !== null && strlen($this->pieces[$last]) < self::PIECE && strlen($bytes) < self::PIECE) {
            $this->pieces[$last] .= $bytes;
        } else {
            $this->pieces[] = $bytes;
        }
    }

    /**
     * Appends a frame with a large body, which is not copied, as pieces that remove() finds.
     */
    public function appendLarge(string $head, string $body): void
    {
        $this->length += strlen($head) + strlen($body);
        $this->pieces[] = $head;
        $this->pieces[] = $body;
    }

    /**
     * Takes out a frame that appendLarge() put in, if none of it has been begun. The first piece always counts as begun: somebody
     * may be writing it now.
     *
     * @param int $place bytes that wait before it
     * @param int $length bytes of head and body
     * @return bool whether it was there and is no longer
     */
    public function remove(int $place, int $length): bool
    {
        $at = -$this->offset;
        foreach ($this->pieces as $index => $piece) {
            if ($at >= $place) {
                if ($at !== $place || $index === 0 || strlen($piece) + strlen($this->pieces[$index + 1] ?? '') !== $length) {
                    return false;
                }
                array_splice($this->pieces, $index, 2);
                $this->length -= $length;

                return true;
            }
            $at += strlen($piece);
        }

        return false;
    }

    /**
     * What is to be written next, '' when nothing is.
     */
    public function next(): string
    {
        $piece = $this->pieces[0] ?? '';
        if ($this->offset === 0 && strlen($piece) <= self::SLICE) {
            return $piece;
        }

        return substr($piece, $this->offset, self::SLICE);
    }

    /**
     * @param int $written bytes of what next() returned
     */
    public function advance(int $written): void
    {
        $this->length -= $written;
        $this->offset += $written;
        if ($this->offset === strlen($this->pieces[0] ?? '')) {
            array_shift($this->pieces);
            $this->offset = 0;
        }
    }

    public function clear(): void
    {
        $this->pieces = [];
        $this->offset = $this->length = 0;
    }
}
