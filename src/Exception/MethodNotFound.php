<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use function is_array;
use function is_string;

/**
 * The worker has no method of that name.
 */
final class MethodNotFound extends CallFailed
{
    /**
     * @return list<string> names that it does have and that are spelled alike
     */
    public function getNearest(): array
    {
        $nearest = $this->data['nearest'] ?? [];

        return is_array($nearest) ? array_values(array_filter($nearest, is_string(...))) : [];
    }
}
