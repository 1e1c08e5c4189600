<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use DateTimeImmutable;
use JsonSerializable;

/**
 * A time in a result, in UTC. In JSON it is ISO 8601 text, `2026-01-02T03:04:05+00:00`, with six digits of a fraction where it has one.
 */
final class Time extends DateTimeImmutable implements JsonSerializable
{
    public function jsonSerialize(): string
    {
        return $this->format($this->format('u') === '000000' ? 'Y-m-d\TH:i:sP' : 'Y-m-d\TH:i:s.uP');
    }
}
