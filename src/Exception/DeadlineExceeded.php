<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The call's time was over. A method that was running was interrupted, or killed with its worker where it went on, and may have done
 * part of its work.
 */
final class DeadlineExceeded extends CallEnded
{
}
