<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use Reasno\GoTask\Codec\Values;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\InvalidResult;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\Overloaded;
use Reasno\GoTask\Exception\PayloadTooLarge;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Exception\Unavailable;
use Reasno\GoTask\Exception\WorkerCrashed;
use Reasno\GoTask\Platform\Memory;
use Throwable;

use function is_array;
use function is_string;
use function json_decode;
use function json_encode;
use function rtrim;
use function strlen;
use function substr;
use function substr_count;

use const JSON_INVALID_UTF8_SUBSTITUTE;
use const JSON_THROW_ON_ERROR;
use const JSON_UNESCAPED_SLASHES;
use const JSON_UNESCAPED_UNICODE;

/**
 * The exception for a reply with the ERROR flag; and the other way round, the body that says what went wrong here.
 *
 * @internal
 */
final class ErrorReply
{
    /** Bytes of a plain text that are shown, where the peer's error is no JSON. */
    private const MAX_TEXT = 8_192;

    /**
     * @param string $method the method that was called
     * @param string $body JSON as docs/protocol.md describes it, or the error's text where the peer is a plain Goridge one
     */
    public static function toException(string $method, string $body): CallFailed
    {
        $error = self::fits($body) ? json_decode($body, true) : null;
        if (! is_array($error) || ! is_string($error['code'] ?? null) || ! is_string($error['message'] ?? null)) {
            return new RemoteError($method . ' failed: ' . self::text($body), $method);
        }
        $data = $error['data'] ?? [];
        $data = is_array($data) ? $data : [];
        $message = $error['message'];

        return match ($error['code']) {
            'method_not_found' => new MethodNotFound($message, $method, $data),
            'invalid_arguments' => new InvalidArguments($message, $method, $data),
            'invalid_request' => new InvalidRequest($message, $method, $data),
            'invalid_result' => new InvalidResult($message, $method, $data),
            'worker_crashed' => new WorkerCrashed($message, $method, $data),
            'deadline_exceeded' => new DeadlineExceeded($message, $method, $data),
            'cancelled' => new Cancelled($message, $method, $data),
            'overloaded' => new Overloaded($message, $method, $data),
            'payload_too_large' => new PayloadTooLarge($message, $method, $data),
            'not_authorized' => new NotAuthorized($message, $method, $data),
            'unavailable' => new Unavailable($message, $method, $data),
            // remote_error, and what a later version may add
            default => self::remoteError($method, $message, $error, $data),
        };
    }

    /**
     * What Python is told of an exception of ours.
     */
    public static function of(Throwable $thrown): string
    {
        return self::body('remote_error', $thrown->getMessage(), [
            'type' => $thrown::class,
            'where' => "{$thrown->getFile()}:{$thrown->getLine()}",
            'data' => ['code' => $thrown->getCode()],
        ]);
    }

    /**
     * @param array<string, mixed> $more
     */
    public static function body(string $code, string $message, array $more = []): string
    {
        return json_encode(['code' => $code, 'message' => $message] + $more, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
    }

    /**
     * Whether memory_limit leaves room for what the body is decoded to.
     */
    private static function fits(string $body): bool
    {
        return strlen($body) < Values::SMALL || Memory::leaves(
            2 * strlen($body)
            + Values::LIST_SIZE * substr_count($body, '[')
            + Values::MAP_SIZE * substr_count($body, '{')
            + Values::ELEMENT_SIZE * (substr_count($body, ',') + 2 * substr_count($body, ':'))
            + Values::STRING_SIZE * substr_count($body, '"'),
        );
    }

    /**
     * @param array<array-key, mixed> $error
     * @param array<array-key, mixed> $data
     */
    private static function remoteError(string $method, string $message, array $error, array $data): RemoteError
    {
        $type = self::string($error, 'type');

        $what = match ($type) {
            '' => "failed: {$message}",
            // An exception without a text of its own.
            $message => "raised {$type}",
            default => "raised {$type}: {$message}",
        };
        // Common exception handlers show the message, and only PHP's files.
        $where = self::string($error, 'where');

        return new RemoteError(
            $where === '' ? "{$method} {$what}" : "{$method} {$what} ({$where})",
            $method,
            $type,
            rtrim(self::string($error, 'traceback')),
            $data,
            $message,
        );
    }

    /**
     * @param array<array-key, mixed> $error
     */
    private static function string(array $error, string $key): string
    {
        $value = $error[$key] ?? null;

        return is_string($value) ? $value : '';
    }

    private static function text(string $body): string
    {
        $length = strlen($body);

        return match (true) {
            $body === '' => 'the peer gives no reason',
            $length > self::MAX_TEXT => substr($body, 0, self::MAX_TEXT) . "… ({$length} bytes, which are not shown or can't be held)",
            default => $body,
        };
    }
}
