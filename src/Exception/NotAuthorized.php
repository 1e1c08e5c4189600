<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The worker does not let this peer do this. The method has not run.
 */
final class NotAuthorized extends CallFailed
{
}
