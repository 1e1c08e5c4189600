<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Config;

use Hyperf\Contract\ConfigInterface;
use Reasno\GoTask\Exception\InvalidConfiguration;

use function is_array;
use function is_string;

/**
 * The workers of config/autoload/gotask.php, by their names.
 *
 * @internal
 */
class Workers
{
    public const DEFAULT = 'default';

    /** @var null|array<string, WorkerConfig> */
    private ?array $workers = null;

    public function __construct(protected ConfigInterface $config)
    {
    }

    /**
     * @return array<string, WorkerConfig> none where nothing has been published yet
     * @throws InvalidConfiguration with the key that is wrong
     */
    public function all(): array
    {
        return $this->workers ??= $this->read($this->config->get('gotask', []));
    }

    /**
     * @throws InvalidConfiguration when there is no worker of that name
     */
    public function get(string $name = self::DEFAULT): WorkerConfig
    {
        $workers = $this->all();
        if ($workers === []) {
            throw new InvalidConfiguration('There is no config/autoload/gotask.php: php bin/hyperf.php vendor:publish reasno/gotask makes it.');
        }

        return $workers[$name] ?? throw new InvalidConfiguration(
            "There is no worker {$name} in config/autoload/gotask.php, only " . implode(', ', array_keys($workers)) . '.',
        );
    }

    /**
     * The folder from which relative paths count.
     */
    protected function directory(): string
    {
        return BasePath::asStarted();
    }

    /**
     * The folder from which relative sockets count: they belong to the server that runs, not to a release that comes after it.
     */
    protected function socketDirectory(): string
    {
        return BasePath::get();
    }

    /**
     * @return array<string, WorkerConfig>
     */
    private function read(mixed $values): array
    {
        $workers = [];
        $addresses = [];
        foreach (is_array($values) ? $values : [null] as $name => $worker) {
            if (! is_string($name) || preg_match('/^[\w.-]+$/D', $name) !== 1 || ! is_array($worker)) {
                throw new InvalidConfiguration("gotask.{$name} in config/autoload/gotask.php must be an array of a worker's settings under its name.");
            }
            $workers[$name] = WorkerConfig::of($name, $worker, $this->directory(), $this->socketDirectory());
            foreach ($workers[$name]->addresses as $address) {
                $other = $addresses[$address] ?? null;
                if ($other !== null) {
                    throw new InvalidConfiguration("gotask.{$name}.address in config/autoload/gotask.php is also the address of {$other}.");
                }
                $addresses[$address] = $name;
            }
        }

        return $workers;
    }
}
