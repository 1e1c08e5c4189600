<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use InvalidArgumentException;

/**
 * A setting that can't be used. The message names it.
 */
final class InvalidConfiguration extends InvalidArgumentException implements GoTaskException
{
}
