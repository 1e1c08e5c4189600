<?php

declare(strict_types=1);

namespace Reasno\GoTask\Protocol;

use Closure;
use JsonException;
use Reasno\GoTask\Exception\InvalidRequest;
use Throwable;

use function crc32;
use function get_debug_type;
use function getmypid;
use function is_string;
use function json_encode;
use function strlen;

use const JSON_THROW_ON_ERROR;
use const JSON_UNESCAPED_SLASHES;
use const JSON_UNESCAPED_UNICODE;

/**
 * What goes with a call beside its arguments, and who is told of its end. Ordinary calls have none.
 *
 * @internal
 */
final class Metadata
{
    /** Bytes of the headers, as JSON. */
    public const MAX_HEADERS = 8192;

    private readonly int $pid;

    /**
     * @param string $headers JSON; '' for none
     * @param int $key 1 … 2³²−1; 0: none
     * @param null|Closure(?Throwable): void $end is called once, with the exception where there is one
     */
    public function __construct(public readonly string $headers, public readonly int $key, private ?Closure $end = null)
    {
        $this->pid = $end === null ? 0 : (int) getmypid();
    }

    /** A call that nobody waited for, or that was given up. In a forked child it is its parent's. */
    public function __destruct()
    {
        if ($this->end !== null && $this->pid === getmypid()) {
            $this->ended(null);
        }
    }

    /**
     * @param array<array-key, mixed> $headers
     * @throws InvalidRequest
     */
    public static function encode(string $method, array $headers): string
    {
        if ($headers === []) {
            return '';
        }
        foreach ($headers as $name => $value) {
            if (! is_string($value)) {
                throw new InvalidRequest("The header {$name} of a call of {$method} is to be a string, it is " . get_debug_type($value) . '.', $method);
            }
        }

        try {
            $json = json_encode((object) $headers, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        } catch (JsonException $error) {
            throw new InvalidRequest("The headers of a call of {$method} are not UTF-8: {$error->getMessage()}.", $method);
        }
        if (strlen($json) > self::MAX_HEADERS) {
            throw new InvalidRequest(
                "The headers of a call of {$method} have " . strlen($json) . ' bytes as JSON and may have ' . self::MAX_HEADERS . ': send less, or in the payload.',
                $method,
            );
        }

        return $json;
    }

    /**
     * A key as it is sent.
     */
    public static function key(null|int|string $key): int
    {
        return $key === null ? 0 : (crc32((string) $key) ?: 1);
    }

    public function ended(?Throwable $error): void
    {
        [$end, $this->end] = [$this->end, null];
        $end?->__invoke($error);
    }
}
