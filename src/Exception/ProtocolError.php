<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The peer sent what is not a Goridge v3 frame, or not an answer to anything. The place in its stream is lost, so the
 * connection is closed.
 */
final class ProtocolError extends TransportFailed
{
}
