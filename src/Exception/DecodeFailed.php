<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Throwable;
use UnexpectedValueException;

/**
 * A body that is malformed, or that holds what PHP can't.
 */
final class DecodeFailed extends UnexpectedValueException implements GoTaskException
{
    use ValuePath;

    private string $root = '$result';

    /**
     * @param string $what what is wrong with the value and what to do about it; follows its path in the message
     */
    public function __construct(private readonly string $what, ?Throwable $previous = null)
    {
        parent::__construct($this->root . ' ' . $what, 0, $previous);
    }
}
