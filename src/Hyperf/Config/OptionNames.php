<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Config;

use Reasno\GoTask\Hints;

/**
 * What the settings of a worker are called here: its broker, which knows them as flags, and its clients name them so in what they
 * tell people.
 *
 * @internal
 */
final class OptionNames
{
    /** Where the broker finds its part of it. */
    public const VARIABLE = 'GOTASK_OPTION_NAMES';

    /** Flags of the broker, and where config/autoload/gotask.php has them. */
    private const KEYS = [
        '--workers' => 'workers',
        '--async-workers' => 'async_workers',
        '--min-workers' => 'min_workers',
        '--idle-time' => 'idle_time',
        '--slow-log' => 'slow_log',
        '--start-timeout' => 'start_timeout',
        '--shutdown-timeout' => 'shutdown_timeout',
        '--key-file' => 'key_file',
        '--web' => 'web',
        '--concurrency' => 'limits.concurrency',
        '--max-payload' => 'limits.max_payload',
        '--queue-calls' => 'limits.queue_calls',
        '--queue-bytes' => 'limits.queue_bytes',
        '--interrupt-grace' => 'limits.interrupt_grace',
        '--max-calls' => 'limits.max_calls',
        '--max-age' => 'limits.max_age',
        '--max-memory' => 'limits.max_memory',
        '--max-memory-hard' => 'limits.max_memory_hard',
    ];

    /** Those that have no key of their own. */
    private const VARIABLES = ['--allow-uids', '--socket-mode', '--socket-group', '--tls-certificate', '--tls-key', '--tls-ca'];

    /**
     * @return string JSON
     */
    public static function forBroker(string $worker): string
    {
        $names = array_map(static fn (string $key): string => "gotask.{$worker}.{$key}", self::KEYS);
        foreach (self::VARIABLES as $flag) {
            $names[$flag] = 'GOTASK_' . strtoupper(strtr(substr($flag, 2), '-', '_')) . " in gotask.{$worker}.environment";
        }

        return json_encode($names, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES);
    }

    public static function forClient(WorkerConfig $config): Hints
    {
        $own = "gotask.{$config->name}";

        return new Hints(
            start: $config->managed
                ? 'It is started and ended with the server: `php bin/hyperf.php start` here, or GOTASK_CONSOLE=private for a worker of this command\'s own.'
                : "It is deployed apart ({$own}.managed is false): start it where it belongs, with `vendor/bin/gotask serve` for instance.",
            wait: "{$own}.pool.connect_timeout",
            maxPayload: "{$own}.limits.max_payload" . ($config->managed ? '' : ' here, GOTASK_MAX_PAYLOAD of the worker'),
            generate: 'php bin/hyperf.php gotask:generate' . ($config->name === Workers::DEFAULT ? '' : " --worker={$config->name}"),
        );
    }
}
