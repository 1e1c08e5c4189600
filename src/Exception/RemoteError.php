<?php

declare(strict_types=1);

namespace Reasno\GoTask\Exception;

/**
 * The method raised an exception.
 *
 * The message is short: the method, the exception's class, its text, and the line of the application that raised it, as in
 * `App.hi raised ValueError: bad name (app.py:63 in hi)`. Python's traceback is the previous exception, so that whatever shows or logs
 * an exception with its causes shows it too.
 */
final class RemoteError extends CallFailed
{
    /**
     * @param string $type the class of the Python exception, such as `ValueError`; '' where the peer does not say
     * @param string $traceback Python's traceback as text; '' where the peer does not say
     * @param array<array-key, mixed> $data the `data` attribute of the Python exception
     * @param string $text what the Python exception says itself, without method, class and line: for a user to read, where its class is
     *                     one that is meant for users
     */
    public function __construct(
        string $message,
        string $method = '',
        public readonly string $type = '',
        public readonly string $traceback = '',
        array $data = [],
        public readonly string $text = '',
    ) {
        parent::__construct(
            $message,
            $method,
            $data,
            $traceback === '' ? null : new RemoteTraceback($traceback),
        );
    }
}
