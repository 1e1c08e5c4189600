<?php

declare(strict_types=1);

namespace Reasno\GoTask\Process\Child;

use InvalidArgumentException;
use Reasno\GoTask\Platform\Quietly;

use function dirname;
use function is_string;

/**
 * The command line and environment of a broker under PHP's supervision.
 *
 * @internal
 */
final class BrokerCommand
{
    /** The working directory at the first start, since a name can't be told from the link's next target later. */
    private static ?string $startedIn = null;

    /**
     * @param list<string> $addresses none: the broker's own default
     * @param null|int $workers from 1; null: the broker's own default
     * @param float $startTimeout in seconds, as the broker is to keep it
     * @param float $shutdownTimeout in seconds, as the broker is to keep it
     * @param array<string, string> $environment in addition to this process's own
     * @param null|int $asyncWorkers from 1; null: the broker's own default
     */
    public function __construct(
        public readonly string $app,
        public readonly array $addresses,
        private readonly ?int $workers,
        private readonly float $startTimeout,
        private readonly float $shutdownTimeout,
        private readonly array $environment = [],
        private readonly ?int $asyncWorkers = null,
    ) {
        if ($app === '' || $app[0] === '-') {
            throw new InvalidArgumentException("'{$app}' is neither a Python file nor a module");
        }
        foreach (['workers' => $workers, 'async workers' => $asyncWorkers] as $name => $count) {
            if ($count !== null && $count < 1) {
                throw new InvalidArgumentException("{$name} must be 1 or more, not {$count}");
            }
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
        foreach (['--workers' => $this->workers, '--async-workers' => $this->asyncWorkers] as $option => $count) {
            if ($count !== null) {
                array_push($arguments, $option, (string) $count);
            }
        }

        return [
            ...$arguments,
            '--start-timeout', self::seconds($this->startTimeout),
            '--shutdown-timeout', self::seconds($this->shutdownTimeout),
        ];
    }

    /**
     * Where the broker runs: by the name that this process was started in it by, so that a link in it is followed anew by each start.
     *
     * @return null|string null: where this process is
     */
    public static function directory(?string $configured): ?string
    {
        self::$startedIn ??= self::startedIn();
        $directory = $configured ?? self::$startedIn;

        return $configured !== null || Quietly::call(static fn () => is_dir($directory)) ? $directory : null;
    }

    /**
     * @param null|string $directory as of directory(). The broker keeps the name with its links, which getcwd() resolves
     * @return null|array<string, string> null: exactly this process's own
     */
    public function environment(?string $directory = null): ?array
    {
        $added = $directory === null || $directory[0] !== '/' ? [] : ['PWD' => $directory];

        return $this->environment + $added === [] ? null : $this->environment + $added + getenv();
    }

    /** The Python side, run from where Composer put it. */
    public static function script(): string
    {
        return dirname(__DIR__, 3) . '/python/gotask/__main__.py';
    }

    private static function startedIn(): string
    {
        $here = (string) getcwd();
        $named = getenv('PWD');

        return is_string($named) && $named !== '' && $named[0] === '/' && Quietly::call(static fn () => realpath($named)) === $here ? $named : $here;
    }

    private static function seconds(float $seconds): string
    {
        return rtrim(rtrim(number_format($seconds, 3, '.', ''), '0'), '.');
    }
}
