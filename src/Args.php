<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Reasno\GoTask\Codec\Codec;
use Reasno\GoTask\Exception\EncodeFailed;

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

    /**
     * The body of a call with the flag CallFlag::ARGS.
     *
     * @throws EncodeFailed
     */
    public function encode(Codec $codec): string
    {
        try {
            // An object, since no arguments by name must be an empty map and not an empty list.
            return $codec->encode([$this->positional, (object) $this->named]);
        } catch (EncodeFailed $failure) {
            throw $failure->ofArguments();
        }
    }
}
