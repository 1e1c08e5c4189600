<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests;

use function getenv;
use function is_executable;

final class Python
{
    /**
     * The interpreter that the tests start their own programs with: $GOTASK_PYTHON, or else the system's, as that of a version manager, which
     * comes first on the PATH, often lacks msgpack.
     */
    public static function path(): string
    {
        return getenv('GOTASK_PYTHON') ?: (is_executable('/usr/bin/python3') ? '/usr/bin/python3' : 'python3');
    }
}
