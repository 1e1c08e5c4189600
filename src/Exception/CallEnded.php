<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

use Throwable;

use function is_int;
use function is_string;

/**
 * A call that was ended before it had a result. Where it had begun, the Python stack is the previous exception, so that whatever
 * shows or logs an exception with its causes shows where it was.
 */
abstract class CallEnded extends CallFailed
{
    /** The broker's number of the call, as its log and the worker's `current_call().id` have it; null where it did not get so far. */
    public readonly ?int $call;

    /** Where it was: a traceback of the method that was interrupted, or the stack of every thread of a worker that died; or ''. */
    public readonly string $stack;

    /**
     * @param array<array-key, mixed> $data `call`, `stack`, and what docs/protocol.md lists for the code
     */
    public function __construct(string $message, string $method = '', array $data = [], ?Throwable $previous = null)
    {
        $this->call = self::integer($data, 'call');
        $this->stack = self::text($data, 'stack');
        parent::__construct($message, $method, $data, $previous ?? ($this->stack === '' ? null : new RemoteTraceback($this->stack)));
    }

    /**
     * @param array<array-key, mixed> $data
     */
    protected static function integer(array $data, string $key): ?int
    {
        return is_int($data[$key] ?? null) ? $data[$key] : null;
    }

    /**
     * @param array<array-key, mixed> $data
     */
    protected static function text(array $data, string $key): string
    {
        return is_string($data[$key] ?? null) ? $data[$key] : '';
    }
}
