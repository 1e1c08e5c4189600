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

    /** What the method yields comes as items, see MessageKind; the reply is what it returns in the end. */
    public const STREAM = 0x04;

    /** The caller wants to be told of progress. */
    public const PROGRESS = 0x08;

    /** The call has an input, which the method may read. */
    public const INPUT = 0x10;

    /** The call is put where it survives every process here; the reply is its id. */
    public const DURABLE = 0x20;

    /** Not on the wire: the call has headers or a key, see Protocol\Metadata. */
    public const METADATA = 0x100;
}
