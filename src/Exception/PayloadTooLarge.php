<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The call, or its result, is larger than a frame may be. The method has run only if it was the result.
 */
final class PayloadTooLarge extends CallFailed
{
}
