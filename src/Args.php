<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use function is_int;

/**
 * A payload that is passed as exactly these positional and named arguments.
 *
 *     $task->call('App.Hi', new Args('Jo', last: 'Li'));     // app.hi("Jo", last="Li")
 */
final class Args
{
    /** @var list<mixed> */
    public readonly array $positional;

    /** @var array<string, mixed> */
    public readonly array $named;

    public function __construct(mixed ...$arguments)
    {
        $positional = [];
        $named = [];
        foreach ($arguments as $key => $argument) {
            if (is_int($key)) {
                $positional[] = $argument;
            } else {
                $named[$key] = $argument;
            }
        }
        $this->positional = $positional;
        $this->named = $named;
    }
}
