<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Exception;

use function count;
use function preg_match_all;

/**
 * Python's traceback, as the cause of a RemoteError. It is never thrown by itself.
 *
 * Its file and line are those of the Python code that raised.
 */
final class RemoteTraceback extends Exception
{
    public function __construct(string $traceback)
    {
        parent::__construct($traceback);
        if (preg_match_all('/^  File "(.+)", line (\d+)/m', $traceback, $frames) > 0) {
            $last = count($frames[0]) - 1;
            $this->file = $frames[1][$last];
            $this->line = (int) $frames[2][$last];
        }
    }
}
