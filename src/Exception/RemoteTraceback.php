<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Exception;

/**
 * Python's traceback of a RemoteError, or the Python stack of a call that was ended, as its cause. It is never thrown by itself.
 *
 * Its file and line are those of the Python code that raised, or that ran in the end.
 */
final class RemoteTraceback extends Exception
{
    /** A traceback has the innermost frame at its end; the stacks of a dead worker's threads have it first. */
    private const FRAMES = [
        '/^Current thread .+\n  File "(.+)", line (\d+)/m',
        '/^(?:Thread|Stack) .+most recent call first.*\n  File "(.+)", line (\d+)/m',
        // The last frame that is not GoTask's own interruption.
        '/.*^  File "(?!\N*\/gotask\/worker\/(?:interrupts|exchange_sync)\.py")(\N+?)", line (\d+)/ms',
    ];

    public function __construct(string $traceback)
    {
        parent::__construct($traceback);
        foreach (self::FRAMES as $pattern) {
            if (preg_match($pattern, $traceback, $frame) === 1) {
                $this->file = $frame[1];
                $this->line = (int) $frame[2];
                break;
            }
        }
    }
}
