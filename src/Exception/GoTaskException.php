<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Throwable;

/**
 * Everything that this package throws: catch it to catch all of it.
 *
 *     CallFailed       the call was answered with an error, or given up: one class for each thing that can go wrong
 *     TransportFailed  there is no way to the worker, or it broke
 *     EncodeFailed, DecodeFailed   the data can't be sent, or what came can't be held in PHP
 *     WorkerStartFailed            the Python side did not start
 */
interface GoTaskException extends Throwable
{
}
