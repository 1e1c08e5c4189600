<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * No connection could be opened: nothing has been sent, so the call can safely be made again.
 */
final class ConnectFailed extends TransportFailed
{
}
