<?php

declare(strict_types=1);

namespace Reasno\GoTask\Bench;

use RuntimeException;

use function assert;
use function fread;
use function fwrite;
use function is_resource;
use function strlen;
use function substr;

/**
 * A new process for each call, which reads the payload from its standard input and answers on its standard output.
 */
final class ProcessDriver implements ConcurrentDriver
{
    /** @var array<int, resource> */
    private array $processes = [];

    /** @var array<int, resource> */
    private array $outputs = [];

    /**
     * @param list<string> $command
     */
    public function __construct(private readonly array $command)
    {
    }

    public function call(string $payload): void
    {
        $this->many($payload, 1, 0);
    }

    public function many(string $payload, int $concurrency, int $until): array
    {
        return Window::run($concurrency, $until, fn (int $place) => $this->send($place, $payload), $this->receive(...));
    }

    /**
     * @return resource
     */
    private function send(int $place, string $payload)
    {
        $pipes = [];
        $process = proc_open($this->command, [['pipe', 'r'], ['pipe', 'w']], $pipes);
        assert(is_resource($process) && is_resource($pipes[0]) && is_resource($pipes[1]));
        for ($sent = 0; $sent < strlen($payload);) {
            $sent += (int) fwrite($pipes[0], $sent === 0 ? $payload : substr($payload, $sent));
        }
        fclose($pipes[0]);
        $this->processes[$place] = $process;

        return $this->outputs[$place] = $pipes[1];
    }

    private function receive(int $place): bool
    {
        if ((string) fread($this->outputs[$place], 1_048_576) !== '') {
            return false;
        }
        fclose($this->outputs[$place]);
        if (proc_close($this->processes[$place]) !== 0) {
            throw new RuntimeException('the process failed');
        }

        return true;
    }
}
