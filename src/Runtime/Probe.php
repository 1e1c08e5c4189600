<?php

declare(strict_types=1);

namespace Reasno\GoTask\Runtime;

/**
 * Finds out whether a broker answers at an address, by a connection of its own that only says Hello. Nobody waits for it.
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
