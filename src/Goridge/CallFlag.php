<?php

declare(strict_types=1);

namespace Reasno\GoTask\Goridge;

/**
 * The fourth option of a call.
 *
 * @internal
 */
final class CallFlag
{
    /** The body is `[positional (array), named (map)]`, to be passed exactly so. */
    public const ARGS = 0x01;

    /** Answered with null once the broker has accepted the call; what the method returns is dropped. */
    public const NOTIFY = 0x02;
}
