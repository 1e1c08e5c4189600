<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The worker is ending, or none can be started, or what runs the method elsewhere can't be reached. The method has not run, so the call can safely be made again.
 */
final class Unavailable extends CallFailed
{
}
