<?php

declare(strict_types=1);

namespace Reasno\GoTask\Calling;

use Reasno\GoTask\Codec\MessagePackCodec;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Goridge\Flag;
use Reasno\GoTask\Outcome;
use Reasno\GoTask\Progress;
use Reasno\GoTask\Protocol\ErrorReply;

use function base64_decode;
use function is_array;
use function is_string;

/**
 * What a worker answers about durable calls, as values.
 *
 * @internal
 */
final class Durable
{
    /**
     * @param mixed $answer to a call with the flag DURABLE
     */
    public static function id(string $method, mixed $answer): string
    {
        return is_string($answer) ? $answer : throw new DecodeFailed("The worker took the durable call of {$method}, and gave no id.");
    }

    /**
     * @param mixed $answer of GoTask.Outcome, as docs/protocol.md describes it
     */
    public static function outcome(string $id, mixed $answer, MessagePackCodec $codec): Outcome
    {
        $answer = is_array($answer) ? $answer : [];
        $state = $answer['state'] ?? null;
        if (! is_string($state)) {
            throw new DecodeFailed("The worker's answer says nothing of the durable call {$id}.");
        }
        $result = self::text($answer, 'result');
        $progress = self::text($answer, 'progress');
        $failure = self::text($answer, 'error');

        return new Outcome(
            $id,
            $state,
            $progress === '' ? null : Progress::of((array) $codec->decode(self::bytes($progress))),
            ($answer['codec'] ?? null) === Flag::RAW ? self::bytes($result) : $codec->decode(self::bytes($result)),
            $failure === '' ? null : ErrorReply::toException(self::text($answer, 'method'), $failure),
        );
    }

    /**
     * @param array<array-key, mixed> $answer
     */
    private static function text(array $answer, string $key): string
    {
        $value = $answer[$key] ?? '';

        return is_string($value) ? $value : '';
    }

    private static function bytes(string $base64): string
    {
        return base64_decode($base64, true) ?: '';
    }
}
