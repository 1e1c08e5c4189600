<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The call itself is wrong: its method has no name, or the worker can't decode its body. The method has not run.
 */
final class InvalidRequest extends CallFailed
{
}
