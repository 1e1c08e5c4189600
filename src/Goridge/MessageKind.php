<?php

declare(strict_types=1);

namespace Reasno\GoTask\Goridge;

/**
 * The second option of a message within a call: of a frame whose byte 10 has STREAM.
 *
 * @internal
 */
final class MessageKind
{
    /** The receiver of items: so many bytes of them more may be sent. */
    public const CREDIT = 1;

    /** Elements of a stream. */
    public const ITEMS = 2;

    /** The input has ended, or failed. */
    public const END = 3;

    /** What a call back has returned, or why it has not. */
    public const ANSWER = 4;

    public const PROGRESS = 5;

    /** The method calls back. */
    public const CALL = 6;
}
