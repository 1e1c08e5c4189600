<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests;

use function fclose;
use function random_int;
use function stream_socket_server;

final class Port
{
    /**
     * One of this machine that the kernel gives no connection, which others that run at the same time open, before it is listened at.
     */
    public static function free(): int
    {
        do {
            $port = random_int(10_000, 29_999);
        } while (($server = @stream_socket_server("tcp://127.0.0.1:{$port}")) === false);
        fclose($server);

        return $port;
    }
}
