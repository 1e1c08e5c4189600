<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use UnexpectedValueException;

/**
 * A body that is malformed, or that holds what PHP can't.
 */
final class DecodeFailed extends UnexpectedValueException implements GoTaskException
{
    use ValuePath;

    private string $root = '$result';
}
