<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use InvalidArgumentException;

/**
 * A value that can't be encoded. Nothing has been sent.
 */
final class EncodeFailed extends InvalidArgumentException implements GoTaskException
{
    use ValuePath;

    private string $root = '$payload';

    /**
     * The same failure as the caller of `new Args(…)` knows it, who has not seen the list and the map that the arguments
     * are sent as.
     *
     * @internal
     */
    public function ofArguments(): self
    {
        $this->root = '$args';
        array_shift($this->keys);
        $this->message = $this->getPath() . ' ' . $this->what;

        return $this;
    }
}
