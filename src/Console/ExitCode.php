<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use InvalidArgumentException;
use JsonException;
use Reasno\GoTask\Exception\Cancelled;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Exception\InvalidArguments;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\MethodNotFound;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Exception\Overloaded;
use Reasno\GoTask\Exception\PayloadTooLarge;
use Reasno\GoTask\Exception\TransportFailed;
use Reasno\GoTask\Exception\Unavailable;
use Throwable;
use ValueError;

/**
 * The exit codes of the commands that call a worker.
 *
 * @internal
 */
final class ExitCode
{
    public const OK = 0;

    /** The method failed, or its worker died. */
    public const FAILED = 1;

    /** The command is used wrongly: an unknown option or method, arguments that do not fit it. */
    public const USAGE = 2;

    /** There is no worker at the address, or the connection broke. */
    public const NO_CONNECTION = 3;
    public const DEADLINE = 4;

    /** The worker is there but did not take the call. */
    public const REFUSED = 5;

    /** For a command's --help. */
    public const HELP = <<<'HELP'
        Exit codes: <info>0</info> done; <info>1</info> the method failed or its worker died; <info>2</info> wrong usage, unknown method, arguments
        that do not fit; <info>3</info> no connection; <info>4</info> deadline passed; <info>5</info> not taken (overloaded, ending, not allowed).
        HELP;

    public static function of(Throwable $failure): int
    {
        return match (true) {
            $failure instanceof TransportFailed => self::NO_CONNECTION,
            $failure instanceof DeadlineExceeded => self::DEADLINE,
            $failure instanceof Overloaded,
            $failure instanceof Unavailable,
            $failure instanceof NotAuthorized,
            $failure instanceof Cancelled => self::REFUSED,
            $failure instanceof MethodNotFound,
            $failure instanceof InvalidArguments,
            $failure instanceof InvalidRequest,
            $failure instanceof PayloadTooLarge,
            $failure instanceof EncodeFailed,
            $failure instanceof InvalidArgumentException,
            $failure instanceof ValueError,
            $failure instanceof JsonException => self::USAGE,
            default => self::FAILED,
        };
    }
}
