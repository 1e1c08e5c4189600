<?php

declare(strict_types=1);

/*
 * What examples/hyperf-app uses beside what is in tests/Stubs, for the static analysis where Hyperf is not installed. Never included.
 */

namespace {
    const BASE_PATH = '';
    const SWOOLE_PROCESS = 2;
    const SWOOLE_SOCK_TCP = 1;
    function swoole_cpu_num(): int
    {
    }
}

namespace Hyperf\Contract {
    interface ApplicationInterface
    {
    }
}

namespace Hyperf\Di {
    use Psr\Container\ContainerInterface;

    class ClassLoader
    {
        public static function init(): void
        {
        }
    }

    class Container implements ContainerInterface
    {
        public function __construct(Definition\DefinitionSource $source)
        {
        }
    }
}

namespace Hyperf\Di\Definition {
    class DefinitionSource
    {
    }

    class DefinitionSourceFactory
    {
        public function __invoke(): DefinitionSource
        {
        }
    }
}

namespace Hyperf\Engine {
    class DefaultOption
    {
        public static function hookFlags(): int
        {
        }
    }
}

namespace Hyperf\Engine\Contract\Http {
    interface Writable
    {
        public function write(string $data): bool;
    }
}

namespace Hyperf\Engine\Http {
    use Hyperf\Engine\Contract\Http\Writable;

    class EventStream
    {
        public function __construct(Writable $connection)
        {
        }

        public function end(): void
        {
        }
    }
}

namespace Hyperf\ExceptionHandler {
    use Swow\Psr7\Message\ResponsePlusInterface;
    use Throwable;

    abstract class ExceptionHandler
    {
        /** @return ResponsePlusInterface */
        abstract public function handle(Throwable $throwable, ResponsePlusInterface $response);

        abstract public function isValid(Throwable $throwable): bool;

        public function stopPropagation(): bool
        {
        }
    }
}

namespace Hyperf\Framework\Bootstrap {
    class PipeMessageCallback
    {
    }

    class WorkerExitCallback
    {
    }

    class WorkerStartCallback
    {
    }
}

namespace Hyperf\HttpMessage\Exception {
    class BadRequestHttpException extends \RuntimeException
    {
        public function __construct(string $message = '')
        {
        }
    }
}

namespace Hyperf\HttpMessage\Stream {
    use Psr\Http\Message\StreamInterface;

    class SwooleStream implements StreamInterface
    {
        public function __construct(string $contents = '')
        {
        }
    }
}

namespace Hyperf\HttpMessage\Upload {
    use Psr\Http\Message\StreamInterface;

    class UploadedFile
    {
        public function isValid(): bool
        {
        }

        public function getStream(): StreamInterface
        {
        }
    }
}

namespace Hyperf\HttpServer {
    class Server
    {
    }
}

namespace Hyperf\HttpServer\Annotation {
    use Attribute;

    #[Attribute(Attribute::TARGET_CLASS)]
    class Controller
    {
    }

    #[Attribute(Attribute::TARGET_METHOD)]
    class GetMapping
    {
        public function __construct(public string $path = '')
        {
        }
    }

    #[Attribute(Attribute::TARGET_METHOD)]
    class PostMapping
    {
        public function __construct(public string $path = '')
        {
        }
    }
}

namespace Hyperf\HttpServer\Contract {
    use Hyperf\Engine\Contract\Http\Writable;
    use Psr\Http\Message\ResponseInterface as PsrResponseInterface;

    interface RequestInterface
    {
        public function query(?string $key = null, mixed $default = null): mixed;

        public function file(string $key, mixed $default = null): mixed;
    }

    interface ResponseInterface
    {
        public function json(mixed $data): PsrResponseInterface;

        public function html(string $html): PsrResponseInterface;

        public function getConnection(): Writable;
    }
}

namespace Hyperf\HttpServer\Exception\Handler {
    class HttpExceptionHandler
    {
    }
}

namespace Hyperf\Server {
    class Event
    {
        public const ON_REQUEST = 'request';
        public const ON_WORKER_START = 'workerStart';
        public const ON_PIPE_MESSAGE = 'pipeMessage';
        public const ON_WORKER_EXIT = 'workerExit';
    }

    class Server
    {
        public const SERVER_HTTP = 1;
    }
}

namespace Hyperf\Testing {
    abstract class TestCase extends \PHPUnit\Framework\TestCase
    {
        /**
         * @template T of object
         * @param T $instance
         * @return T
         */
        protected function instance(string $abstract, object $instance): object
        {
        }

        /** @param array<string, mixed> $data */
        protected function get(string $uri, array $data = []): Http\TestResponse
        {
        }

        /** @param array<string, mixed> $data */
        protected function post(string $uri, array $data = []): Http\TestResponse
        {
        }

        /** @param array<string, mixed> $data */
        protected function file(string $uri, array $data = []): Http\TestResponse
        {
        }
    }
}

namespace Hyperf\Testing\Http {
    class TestResponse
    {
        public function assertOk(): static
        {
        }

        public function assertStatus(int $status): static
        {
        }

        public function assertSee(string $value): static
        {
        }

        /** @param array<string, mixed> $value */
        public function assertJson(array $value): static
        {
        }

        /** @param array<string, mixed> $value */
        public function assertExactJson(array $value): static
        {
        }
    }
}

namespace Monolog {
    enum Level: int
    {
        case Debug = 100;
    }
}

namespace Monolog\Formatter {
    class LineFormatter
    {
    }
}

namespace Monolog\Handler {
    class StreamHandler
    {
    }
}

namespace Psr\Http\Message {
    interface StreamInterface
    {
        public function getContents(): string;
    }

    interface ResponseInterface
    {
        public function withStatus(int $code): static;

        public function withHeader(string $name, string $value): static;

        public function withBody(StreamInterface $body): static;
    }
}

namespace Swoole {
    class Constant
    {
        public const OPTION_ENABLE_COROUTINE = 'enable_coroutine';
        public const OPTION_WORKER_NUM = 'worker_num';
        public const OPTION_PID_FILE = 'pid_file';
        public const OPTION_OPEN_TCP_NODELAY = 'open_tcp_nodelay';
        public const OPTION_MAX_COROUTINE = 'max_coroutine';
        public const OPTION_PACKAGE_MAX_LENGTH = 'package_max_length';
    }
}

namespace Swow\Psr7\Message {
    use Psr\Http\Message\ResponseInterface;

    interface ResponsePlusInterface extends ResponseInterface
    {
    }
}
