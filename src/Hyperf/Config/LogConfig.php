<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Config;

use Reasno\GoTask\Exception\InvalidConfiguration;

/**
 * Where the log records of a worker go.
 *
 * @internal
 */
final class LogConfig
{
    /**
     * @param string $name of the logger, as the records show it
     * @param string $channel of config/autoload/logger.php
     * @param string $level the least that the worker reports
     */
    private function __construct(
        public readonly string $name,
        public readonly string $channel,
        public readonly string $level,
    ) {
    }

    /**
     * @throws InvalidConfiguration
     */
    public static function of(Section $section): self
    {
        return new self(
            $section->text('name', 'gotask'),
            $section->text('channel', 'default'),
            $section->choice('level', ['info', 'debug', 'warning', 'error']),
        );
    }
}
