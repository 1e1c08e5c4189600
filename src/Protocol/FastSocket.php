<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

/**
 * The caller's end of a fast path: a socket that keeps messages apart, at whose other end all sync workers wait.
 *
 * @internal
 */
interface FastSocket
{
    /** Bytes of a message that comes, at most. */
    public const LARGEST = 65_536;

    /**
     * Sends a message without waiting.
     *
     * @return bool false: there is no room for it now, or nobody is there any more; none of it was sent
     */
    public function send(string $message): bool;

    /**
     * Takes a message without waiting.
     *
     * @return null|string '' when none is there; null when the other end is gone
     */
    public function receive(): ?string;

    public function close(): void;
}
