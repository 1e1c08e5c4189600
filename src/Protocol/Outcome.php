<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

/**
 * What became of a call.
 *
 * @internal
 */
enum Outcome
{
    case Waiting;

    /** A reply came: a result, or the peer's error. */
    case Replied;

    /** A reply came that can't be held; its payload was skipped. */
    case Oversized;

    /** Its time was over first. */
    case Expired;

    /** The caller gave it up. */
    case Cancelled;

    /** The connection ended first. */
    case Lost;
}
