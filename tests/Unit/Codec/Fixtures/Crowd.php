<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Codec\Fixtures;

use Closure;
use JsonSerializable;

/**
 * Serializes to whatever it is given, or to what a closure returns.
 */
final class Crowd implements JsonSerializable
{
    /** Must not be sent. */
    public string $secret = 'secret';

    public function __construct(public mixed $members)
    {
    }

    public function jsonSerialize(): mixed
    {
        return $this->members instanceof Closure ? ($this->members)() : $this->members;
    }
}
