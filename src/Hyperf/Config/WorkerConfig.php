<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Config;

use Psr\Log\LoggerInterface;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Process\KeyFile;
use Reasno\GoTask\Process\WorkerProcess;
use Reasno\GoTask\Tls;
use SensitiveParameter;
use ValueError;

/**
 * The settings of one named worker. Times in seconds, sizes in bytes; the defaults are those of config/autoload/gotask.php.
 *
 * @internal
 */
final class WorkerConfig
{
    public const ATTACH = 'attach';

    public const PRIVATE = 'private';

    /**
     * @param string $address a Unix path is absolute, but may still be one that can't be used
     * @param non-empty-list<string> $addresses the same, and where it is not managed perhaps more that serve the same
     * @param string $app a file, absolute, or the name of a module
     * @param array<string, string> $environment of the Python processes, with the limits
     * @param string $logName of the logger, as the records show it
     * @param string $logChannel of config/autoload/logger.php
     * @param null|string $key the shared one, where it is given here
     * @param array<string, string> $services what methods may call back: entries of the container by the names of services
     * @param list<string> $observers of calls: entries of the container
     */
    private function __construct(
        public readonly string $name,
        public readonly bool $managed,
        public readonly string $address,
        public readonly array $addresses,
        public readonly string $app,
        public readonly ?string $python,
        public readonly ?int $workers,
        public readonly float $timeout,
        public readonly float $startTimeout,
        public readonly float $shutdownTimeout,
        public readonly array $environment,
        public readonly int $maxPayload,
        public readonly int $minConnections,
        public readonly int $maxConnections,
        public readonly float $connectTimeout,
        public readonly float $maxIdleTime,
        public readonly string $logName,
        public readonly string $logChannel,
        public readonly string $console,
        public readonly string $directory,
        public readonly bool $watch,
        #[SensitiveParameter]
        public readonly ?string $key,
        public readonly Tls $tls,
        public readonly array $services,
        public readonly array $observers,
    ) {
    }

    /**
     * @param array<array-key, mixed> $values
     * @param string $directory from which relative paths count
     * @param null|string $sockets from which relative sockets count; null: the same
     * @throws InvalidConfiguration
     */
    public static function of(string $name, array $values, string $directory, ?string $sockets = null): self
    {
        $section = new Section("gotask.{$name}", $values);
        $limits = $section->section('limits');
        $log = $section->section('log');
        $pool = $section->section('pool');
        $maxConnections = $pool->integer('max_connections', 1, 1024, 4);
        $maxPayload = $limits->integer('max_payload', 1024, 4_294_967_295, 67_108_864);
        $workers = $section->optionalInteger('workers', 1, 1024);
        $watch = $section->flag('watch', false);
        $environment = $section->texts('environment') + array_map(strval(...), [
            'GOTASK_ASYNC_WORKERS' => $section->integer('async_workers', 1, 1024, 1),
            'GOTASK_CONCURRENCY' => $limits->integer('concurrency', 1, 500, 100),
            'GOTASK_MAX_PAYLOAD' => $maxPayload,
            'GOTASK_QUEUE_CALLS' => $limits->integer('queue_calls', 1, 10_000_000, 10_000),
            'GOTASK_QUEUE_BYTES' => $limits->integer('queue_bytes', 1024, 1 << 40, 268_435_456),
            'GOTASK_INTERRUPT_GRACE' => $limits->seconds('interrupt_grace', 0.1),
            'GOTASK_MAX_CALLS' => $limits->integer('max_calls', 0, 1 << 40, 0),
            'GOTASK_MAX_AGE' => $limits->secondsOrNever('max_age'),
            'GOTASK_MAX_MEMORY' => $limits->integer('max_memory', 0, 1 << 50, 0),
            'GOTASK_MAX_MEMORY_HARD' => $limits->integer('max_memory_hard', 0, 1 << 50, 0),
            'GOTASK_IDLE_TIME' => $section->seconds('idle_time', 60.0),
            'GOTASK_SLOW_LOG' => $section->secondsOrNever('slow_log'),
            'GOTASK_WATCH' => (int) $watch,
            'GOTASK_WEB' => (string) $section->optionalText('web'),
            'GOTASK_LOG_LEVEL' => $log->choice('level', ['info', 'debug', 'warning', 'error']),
            OptionNames::VARIABLE => OptionNames::forBroker($name),
        ]);
        // Without it the broker decides, which looks at the variable itself.
        $minWorkers = $section->optionalInteger('min_workers', 1, $workers ?? 1024);
        if ($minWorkers !== null) {
            $environment += ['GOTASK_MIN_WORKERS' => (string) $minWorkers];
        }
        $managed = $section->flag('managed', true);
        $addresses = array_map(
            static fn (string $address): string => self::address($address, $sockets ?? $directory),
            $section->oneOrMore('address', "unix://runtime/gotask/{$name}.sock", ! $managed),
        );
        $key = self::key($section, $directory, $environment);
        $tls = self::tls($section->section('tls'), $directory);
        $config = new self(
            name: $name,
            managed: $managed,
            address: $addresses[0],
            addresses: $addresses,
            app: self::app($section->text('app', 'gotask/app.py'), $directory),
            python: $section->optionalText('python'),
            workers: $workers,
            timeout: $section->seconds('timeout', 30.0),
            startTimeout: $section->seconds('start_timeout', 60.0),
            shutdownTimeout: $section->seconds('shutdown_timeout', 30.0),
            environment: $environment,
            maxPayload: $maxPayload,
            minConnections: $pool->integer('min_connections', 0, $maxConnections, min(1, $maxConnections)),
            maxConnections: $maxConnections,
            connectTimeout: $pool->seconds('connect_timeout', 10.0),
            maxIdleTime: $pool->seconds('max_idle_time', 60.0),
            logName: $log->text('name', 'gotask'),
            logChannel: $log->text('channel', 'default'),
            // The variable is for all workers: tests would else attach to those that do not mention it.
            console: $section->choice('console', [self::ATTACH, self::PRIVATE], getenv('GOTASK_CONSOLE') ?: null),
            directory: $directory,
            watch: $watch,
            key: $key,
            tls: $tls,
            services: $section->texts('services'),
            observers: $section->list('observers'),
        );
        $section->end();

        return $config;
    }

    /**
     * The worker, to be started.
     *
     * @param null|string $address null: a private one, which has no page: that is at the address of the one that serves
     */
    public function process(?string $address, LoggerInterface $logger): WorkerProcess
    {
        return new WorkerProcess(
            $this->app,
            $address,
            $this->workers,
            $this->python,
            $this->startTimeout,
            $this->shutdownTimeout,
            $address === null ? ['GOTASK_WEB' => ''] + $this->environment : $this->environment,
            $this->directory,
            $logger,
        );
    }

    private static function address(string $address, string $directory): string
    {
        return preg_match('~^unix://([^/].*)$~Ds', $address, $path) === 1 ? "unix://{$directory}/{$path[1]}" : $address;
    }

    /**
     * The shared key, which is the broker's, too: in the environment, where no list of processes shows it.
     *
     * @param array<string, string> $environment
     */
    private static function key(Section $section, string $directory, array &$environment): ?string
    {
        $key = $section->optionalText('key');
        $file = self::path($section->optionalText('key_file'), $directory);
        if ($key !== null && $file !== null) {
            throw $section->invalid('key_file', 'can\'t be given beside key');
        }
        if ($key !== null) {
            $environment += ['GOTASK_KEY' => $key, 'GOTASK_KEY_FILE' => ''];
        } elseif ($file !== null) {
            $environment += ['GOTASK_KEY_FILE' => $file, 'GOTASK_KEY' => ''];
            try {
                $key = KeyFile::read($file);
            } catch (ValueError $error) {
                throw $section->invalid('key_file', 'can\'t be used', $error);
            }
        }

        return $key;
    }

    private static function tls(Section $section, string $directory): Tls
    {
        $files = array_map(
            static fn (string $key): ?string => self::path($section->optionalText($key), $directory),
            ['ca', 'certificate', 'key'],
        );
        $peerName = $section->optionalText('peer_name');
        try {
            return new Tls(...$files, peerName: $peerName);
        } catch (ValueError $error) {
            throw new InvalidConfiguration($error->getMessage(), 0, $error);
        }
    }

    private static function path(?string $path, string $directory): ?string
    {
        return $path === null || $path[0] === '/' ? $path : "{$directory}/{$path}";
    }

    private static function app(string $app, string $directory): string
    {
        $isFile = str_ends_with($app, '.py') || str_contains($app, '/');

        return $isFile && $app[0] !== '/' ? "{$directory}/{$app}" : $app;
    }
}
