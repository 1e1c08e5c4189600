<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

/**
 * What has come of a call so far: all but Waiting and Message is its outcome.
 *
 * @internal
 */
enum CallState
{
    case Waiting;

    /** The call goes on, and a message within it has come: whoever waits for it is to serve that, and then to wait on. */
    case Message;

    /** A reply came: a result, or the peer's error. */
    case Replied;

    /** A reply came that can't be held; its payload was skipped. */
    case Oversized;

    /** Its time was over before a reply came. */
    case Expired;

    /** The caller cancelled it. */
    case Cancelled;

    /** The connection ended before a reply came. */
    case Lost;
}
