<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Throwable;

/**
 * Whatever can go wrong with a call or a worker while the program runs: catch it to catch all of that.
 *
 * A mistake of the program itself is none of these: a ValueError is an argument out of its bounds, such as a timeout of 0, and a
 * LogicException a use that can't work, such as two coroutines that await one future.
 *
 *     CallFailed       the call was answered with an error, or given up: one class for each thing that can go wrong
 *     TransportFailed  there is no way to the worker, or it broke
 *     EncodeFailed, DecodeFailed   the data can't be sent, or what came can't be held in PHP
 *     WorkerStartFailed            the Python side did not start
 */
interface GoTaskException extends Throwable
{
}
