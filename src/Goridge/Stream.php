<?php

declare(strict_types=1);

namespace Reasno\GoTask\Goridge;

/**
 * Byte 10 of a frame.
 *
 * @internal
 */
final class Stream
{
    public const STREAM = 0x01;
    public const STOP = 0x02;
    public const PING = 0x04;
    public const PONG = 0x08;
}
