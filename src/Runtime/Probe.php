<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

/**
 * A look whether a broker answers at an address, which nobody waits for: a connection of its own that only says Hello.
 *
 * @internal
 */
interface Probe
{
    /**
     * @return null|bool null: that is not known yet
     */
    public function isAnswered(): ?bool;
}
