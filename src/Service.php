<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Reasno\GoTask\Exception\GoTaskException;

/**
 * A Python service: `$app->sayHello('Jo', last: 'Li')` runs `App.sayHello`, which Python finds as `say_hello`, with exactly these
 * arguments, by position and by name. GoTask::service() makes it.
 *
 * @mixin mixed it has every method, see PHPStan\ServiceMethods
 */
final class Service
{
    use CallOptions;

    public function __construct(private readonly GoTask $task, private readonly string $name)
    {
    }

    /**
     * @param array<array-key, mixed> $arguments
     * @throws GoTaskException
     */
    public function __call(string $method, array $arguments): mixed
    {
        return $this->task->call("{$this->name}.{$method}", new Args(...$arguments), ...$this->options);
    }
}
