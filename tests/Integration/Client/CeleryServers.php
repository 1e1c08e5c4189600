<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Reasno\GoTask\Tests\Python;
use RuntimeException;

use function dirname;
use function fclose;
use function fgets;
use function is_array;
use function is_resource;
use function is_string;
use function json_decode;
use function proc_close;
use function proc_open;

/**
 * A broker whose methods Celery runs, with a Redis and a Celery worker, for all classes: started once, and ended with PHP.
 */
final class CeleryServers
{
    public readonly string $address;

    /** Why there are none; '' where they are there. */
    public readonly string $missing;

    private static ?self $servers = null;

    /** @var array<int, resource> */
    private array $pipes = [];

    /** @var resource */
    private mixed $process;

    private function __construct()
    {
        $command = [Python::path(), '-m', 'tests.celery_servers'];
        $process = proc_open($command, [['pipe', 'r'], ['pipe', 'w']], $this->pipes, dirname(__DIR__, 3) . '/python');
        $this->process = is_resource($process) ? $process : throw new RuntimeException('There is no Python.');
        $said = json_decode((string) fgets($this->pipes[1]), true);
        if (! is_array($said)) {
            throw new RuntimeException('python/tests/celery_servers.py could not start its servers, and wrote why.');
        }
        $this->address = is_string($said['address'] ?? null) ? $said['address'] : '';
        $this->missing = is_string($said['missing'] ?? null) ? $said['missing'] : '';
    }

    public function __destruct()
    {
        fclose($this->pipes[0]);
        fgets($this->pipes[1]);
        proc_close($this->process);
    }

    public static function get(): self
    {
        return self::$servers ??= new self();
    }
}
