<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use InvalidArgumentException;
use Throwable;

use function addcslashes;
use function is_int;

/**
 * A value that can't be encoded. Nothing has been sent.
 */
final class EncodeFailed extends InvalidArgumentException implements GoTaskException
{
    /**
     * @param string $message what is wrong with the value and what to do about it
     * @param string $path where the value stands in what was to be sent, such as `$payload['a'][3]`
     */
    public function __construct(string $message, public readonly string $path = '$payload', ?Throwable $previous = null)
    {
        parent::__construct($message, 0, $previous);
    }

    /**
     * @param list<int|string> $keys the keys that lead from the payload to the value
     */
    public static function at(array $keys, string $what, ?Throwable $previous = null): self
    {
        $path = '$payload';
        foreach ($keys as $key) {
            $path .= '[' . (is_int($key) ? $key : "'" . addcslashes($key, "'\\") . "'") . ']';
        }

        return new self("{$path} {$what}", $path, $previous);
    }
}
