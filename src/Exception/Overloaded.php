<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The worker's queue is full. The method has not run: try again later, or let fewer calls wait.
 */
final class Overloaded extends CallFailed
{
}
