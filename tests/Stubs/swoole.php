<?php

declare(strict_types=1);

/*
 * What of Swoole is used here, for the static analysis where the extension is not loaded. Never included.
 */

namespace Swoole {
    class Coroutine
    {
        /** @phpstan-impure */
        public static function create(callable $func, mixed ...$param): false|int
        {
        }

        /**
         * @return false|list<array{function?: string}>
         */
        public static function getBackTrace(int $cid = 0, int $options = DEBUG_BACKTRACE_PROVIDE_OBJECT, int $limit = 0): array|false
        {
        }

        /** @phpstan-impure */
        public static function yield(): bool
        {
        }

        /** @phpstan-impure */
        public static function resume(int $cid): bool
        {
        }

        public static function cancel(int $cid, bool $throw_exception = false): bool
        {
        }

        /**
         * @return false|list<array{function?: string}>
         */
        public static function getBackTrace(int $cid = 0, int $options = 0, int $limit = 0): array|false
        {
        }

        /** @param array<string, mixed> $options */
        public static function set(array $options): void
        {
        }

        public static function getCid(): int
        {
        }

        public static function exists(int $cid): bool
        {
        }

        /** @phpstan-impure */
        public static function sleep(float $seconds): bool
        {
        }

        /** @return array{coroutine_num: int} */
        public static function stats(): array
        {
        }
    }

    class Server
    {
        /** @var array<string, mixed> */
        public array $setting;

        public function getCallback(string $event_name): mixed
        {
        }

        public function on(string $event_name, callable $callback): bool
        {
        }
    }

    class Event
    {
        public static function add(mixed $fd, ?callable $read_callback = null): false|int
        {
        }

        public static function defer(callable $callback): true
        {
        }

        public static function del(mixed $fd): bool
        {
        }
    }
}

namespace Swoole\Coroutine {
    final class CanceledException extends \Exception
    {
    }

    final class TimeoutException extends \Exception
    {
    }

    function run(callable $fn, mixed ...$args): bool
    {
    }

    function go(callable $fn, mixed ...$args): false|int
    {
    }

    class Socket
    {
        public int $fd = -1;

        public int $errCode = 0;

        public string $errMsg = '';

        public function __construct(int $domain, int $type, int $protocol = 0)
        {
        }

        public function connect(string $host, int $port = 0, float $timeout = 0): bool
        {
        }

        public function peek(int $length = 65536): false|string
        {
        }

        public function checkLiveness(): bool
        {
        }

        /** @phpstan-impure */
        public function recv(int $length = 65536, float $timeout = 0): false|string
        {
        }

        /** @phpstan-impure */
        public function send(string $data, float $timeout = 0): false|int
        {
        }

        /** @param array<string, bool|int|string> $settings */
        public function setProtocol(array $settings): bool
        {
        }

        public function setOption(int $level, int $opt_name, mixed $opt_value): bool
        {
        }

        /** @phpstan-impure */
        public function close(): bool
        {
        }
    }

    class Channel
    {
        public int $errCode = 0;

        public function __construct(int $size = 1)
        {
        }

        public function push(mixed $data, float $timeout = -1): bool
        {
        }

        public function pop(float $timeout = -1): mixed
        {
        }

        /** @phpstan-impure */
        public function close(): bool
        {
        }
    }
}
