<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime\Stream;

/**
 * A connected socket of plain PHP.
 *
 * @internal
 */
interface Transport
{
    /**
     * Writes what the socket takes now.
     *
     * @return int bytes, 0 when none fit; −1 when the connection is gone
     */
    public function write(string $bytes): int;

    /**
     * @param int<1, max> $length bytes at most
     * @param int $wait nanoseconds; 0: not at all
     * @return null|string '' when nothing came in time, or a signal did; null when the connection is gone
     */
    public function read(int $length, int $wait): ?string;

    /**
     * Waits until there is something to read or room to write.
     *
     * @param int $wait nanoseconds
     * @return bool whether there is something to read
     */
    public function poll(int $wait): bool;

    /**
     * The stream that it reads, to wait for several at a time.
     *
     * @return resource
     */
    public function stream(): mixed;

    /**
     * Why the connection is gone.
     */
    public function error(): string;

    public function close(): void;
}
