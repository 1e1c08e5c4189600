<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console\Doctor;

/**
 * One thing that was looked at.
 *
 * @internal
 */
final class Finding
{
    /**
     * @param null|bool $well null: it works, and could be better
     * @param string $advice what to do about it
     */
    public function __construct(
        public readonly ?bool $well,
        public readonly string $what,
        public readonly string $advice = '',
    ) {
    }

    /**
     * @return array{what: string, well: null|bool, advice: string}
     */
    public function toArray(): array
    {
        return ['what' => $this->what, 'well' => $this->well, 'advice' => $this->advice];
    }
}
