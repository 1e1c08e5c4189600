<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The method ran to its end, but what it returned can't be encoded.
 */
final class InvalidResult extends CallFailed
{
}
