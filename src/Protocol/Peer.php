<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

/**
 * The kind of peer of a connection, as far as GoTask.Hello has shown.
 *
 * @internal
 */
enum Peer
{
    /** Hello is not answered yet: nothing but plain calls may be sent. */
    case Unknown;

    /** A broker of ours: deadlines, flags, cancelling, structured errors. */
    case Broker;

    /** Any other Goridge v3 peer: calls and replies only. */
    case Plain;
}
