<?php

declare(strict_types=1);

namespace Reasno\GoTask\Goridge;

/**
 * Byte 1 of a frame: its kind, and the codec of its body.
 *
 * @internal
 */
final class Flag
{
    public const CONTROL = 0x01;
    public const RAW = 0x04;
    public const JSON = 0x08;
    public const MSGPACK = 0x10;
    public const ERROR = 0x40;
}
