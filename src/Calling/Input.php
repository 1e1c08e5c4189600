<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Generator;
use Iterator;
use Reasno\GoTask\Bytes;
use RuntimeException;
use ValueError;

use function fread;
use function get_debug_type;
use function get_resource_type;
use function is_resource;
use function stream_set_blocking;

/**
 * What a call can have as its input.
 *
 * @internal
 */
final class Input
{
    /** Bytes of each piece of a stream. */
    private const PIECE = 65_536;

    /**
     * @return Iterator<mixed> which has not been asked for anything yet
     * @throws ValueError when it can be no input
     */
    public static function of(mixed $input): Iterator
    {
        if (is_resource($input) && get_resource_type($input) === 'stream') {
            return self::pieces($input);
        }
        if (! is_iterable($input)) {
            throw new ValueError('The input must be iterable, or a stream such as fopen() opens, it is ' . get_debug_type($input) . '.');
        }

        return self::elements($input);
    }

    /**
     * A generator: unlike other iterators it begins with the first question.
     *
     * @param iterable<mixed> $input
     * @return Generator<mixed>
     */
    private static function elements(iterable $input): Generator
    {
        foreach ($input as $element) {
            yield $element;
        }
    }

    /**
     * @param resource $stream
     * @return Generator<Bytes>
     */
    private static function pieces(mixed $stream): Generator
    {
        stream_set_blocking($stream, true);
        while (! feof($stream)) {
            $piece = fread($stream, self::PIECE);
            if ($piece === false) {
                throw new RuntimeException('The stream that is the input of a call could not be read.');
            }
            if ($piece !== '') {
                yield new Bytes($piece);
            }
        }
    }
}
