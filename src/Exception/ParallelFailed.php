<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use RuntimeException;

use function count;

/**
 * Some of the calls that ran in parallel have failed. All have ended, and what the others returned is here.
 *
 * The first failure, in the order of the calls, is the previous exception.
 */
final class ParallelFailed extends RuntimeException implements GoTaskException
{
    /**
     * @param array<array-key, mixed> $results of the calls that succeeded, under their keys
     * @param non-empty-array<array-key, GoTaskException> $errors of those that failed, under their keys
     */
    public function __construct(public readonly array $results, public readonly array $errors)
    {
        $key = array_key_first($errors);
        $first = $errors[$key];
        parent::__construct(
            count($errors) . ' of ' . count($errors) + count($results) . " calls failed. The first, under the key {$key}: "
            . $first->getMessage(),
            0,
            $first,
        );
    }
}
