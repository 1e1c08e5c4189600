<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The caller cancelled the call. A method that was running has been told to stop, and may have done part of its work.
 */
final class Cancelled extends CallFailed
{
}
