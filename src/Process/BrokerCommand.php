<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process;

use InvalidArgumentException;

use function dirname;

/**
 * The command line and environment of a broker under PHP's supervision.
 *
 * @internal
 */
final class BrokerCommand
{
    /**
     * @param list<string> $addresses none: the broker's own default
     * @param null|int $workers null: the broker's own default
     * @param float $startTimeout in seconds, as the broker is to keep it
     * @param float $shutdownTimeout in seconds, as the broker is to keep it
     * @param array<string, string> $environment in addition to this process's own
     */
    public function __construct(
        public readonly string $app,
        public readonly array $addresses,
        private readonly ?int $workers,
        private readonly float $startTimeout,
        private readonly float $shutdownTimeout,
        private readonly array $environment = [],
    ) {
        if ($app === '' || $app[0] === '-') {
            throw new InvalidArgumentException("'{$app}' is neither a Python file nor a module");
        }
        if ($workers !== null && $workers < 0) {
            throw new InvalidArgumentException("workers must be 0 or more, not {$workers}");
        }
    }

    /**
     * @return non-empty-list<string>
     */
    public function arguments(string $python): array
    {
        $arguments = [$python, self::script(), $this->app, '--managed'];
        foreach ($this->addresses as $address) {
            array_push($arguments, '--address', $address);
        }
        if ($this->workers !== null) {
            array_push($arguments, '--workers', (string) $this->workers);
        }

        return [
            ...$arguments,
            '--start-timeout', self::seconds($this->startTimeout),
            '--shutdown-timeout', self::seconds($this->shutdownTimeout),
        ];
    }

    /**
     * @return null|array<string, string> null: exactly this process's own
     */
    public function environment(): ?array
    {
        return $this->environment === [] ? null : $this->environment + getenv();
    }

    /** The Python side, run from where Composer put it. */
    public static function script(): string
    {
        return dirname(__DIR__, 2) . '/python/gotask/__main__.py';
    }

    private static function seconds(float $seconds): string
    {
        return rtrim(rtrim(number_format($seconds, 3, '.', ''), '0'), '.');
    }
}
