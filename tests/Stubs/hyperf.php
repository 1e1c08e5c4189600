<?php

declare(strict_types=1);

/*
 * What of Hyperf is used here, for the static analysis where its packages are not installed. Never included.
 */

namespace Hyperf\Command\Event {
    use Symfony\Component\Console\Command\Command;

    class AfterExecute
    {
    }

    class BeforeHandle
    {
        public function getCommand(): Command
        {
        }
    }
}

namespace Hyperf\Context {
    use Psr\Container\ContainerInterface;

    class ApplicationContext
    {
        public static function getContainer(): ContainerInterface
        {
        }

        public static function setContainer(ContainerInterface $container): ContainerInterface
        {
        }
    }
}

namespace Hyperf\Contract {
    use Psr\Log\LoggerInterface;

    interface ConfigInterface
    {
        public function get(string $key, mixed $default = null): mixed;

        public function has(string $keys): bool;

        public function set(string $key, mixed $value): void;
    }

    interface StdoutLoggerInterface extends LoggerInterface
    {
    }
}

namespace Hyperf\Coordinator {
    class Constants
    {
        public const WORKER_EXIT = 'workerExit';
    }

    class Coordinator
    {
        /** @phpstan-impure */
        public function yield(float|int $timeout = -1): bool
        {
        }

        public function isClosing(): bool
        {
        }
    }

    class Timer
    {
        public function tick(float $timeout, callable $closure): int
        {
        }
    }

    class CoordinatorManager
    {
        public static function until(string $identifier): Coordinator
        {
        }
    }
}

namespace Hyperf\Coroutine {
    class Coroutine
    {
        /** @phpstan-impure */
        public static function create(callable $callable): int
        {
        }

        public static function inCoroutine(): bool
        {
        }
    }
}

namespace Hyperf\Di {
    use ReflectionProperty;

    class ReflectionManager
    {
        public static function reflectProperty(string $className, string $property): ReflectionProperty
        {
        }
    }
}

namespace Hyperf\Di\Annotation {
    abstract class AbstractAnnotation
    {
    }
}

namespace Hyperf\Di\Aop {
    abstract class AbstractAspect
    {
        /** @var list<string> */
        public array $classes = [];

        /** @var list<class-string> */
        public array $annotations = [];

        /** @return mixed */
        abstract public function process(ProceedingJoinPoint $proceedingJoinPoint);
    }

    class ProceedingJoinPoint
    {
        public function process(): mixed
        {
        }
    }
}

namespace Hyperf\Di\Definition {
    class PropertyHandlerManager
    {
        public static function register(string $annotation, callable $callback): void
        {
        }
    }
}

namespace Hyperf\Engine {
    class Constant
    {
        public static function isCoroutineServer(mixed $server): bool
        {
        }
    }

    class Signal
    {
        /** @phpstan-impure */
        public static function wait(int $signo, float $timeout = -1): bool
        {
        }
    }
}

namespace Hyperf\Event\Contract {
    interface ListenerInterface
    {
        /** @return list<class-string> */
        public function listen(): array;

        public function process(object $event): void;
    }
}

namespace Hyperf\ExceptionHandler {
    use Psr\Http\Message\ResponseInterface;
    use Swow\Psr7\Message\ResponsePlusInterface;
    use Throwable;

    abstract class ExceptionHandler
    {
        /** @return ResponseInterface */
        abstract public function handle(Throwable $throwable, ResponsePlusInterface $response);

        abstract public function isValid(Throwable $throwable): bool;

        public function stopPropagation(): bool
        {
        }
    }
}

namespace Hyperf\Framework\Event {
    use Swoole\Server;

    class BootApplication
    {
    }

    class BeforeMainServerStart
    {
        public Server $server;
    }

    class BeforeServerStart
    {
    }
}

namespace Hyperf\Framework\Logger {
    use Hyperf\Contract\ConfigInterface;
    use Hyperf\Contract\StdoutLoggerInterface;
    use Psr\Log\AbstractLogger;
    use Stringable;
    use Symfony\Component\Console\Output\OutputInterface;

    class StdoutLogger extends AbstractLogger implements StdoutLoggerInterface
    {
        public function __construct(ConfigInterface $config, ?OutputInterface $output = null)
        {
        }

        /** @param mixed $level */
        public function log($level, string|Stringable $message, array $context = []): void
        {
        }
    }
}

namespace Hyperf\Logger {
    use Psr\Log\LoggerInterface;

    class LoggerFactory
    {
        public function get(string $name = 'hyperf', ?string $channel = null): LoggerInterface
        {
        }
    }
}

namespace Hyperf\Metric {
    class MetricFactoryPicker
    {
        public static bool $isCommand = false;
    }
}

namespace Hyperf\Metric\Adapter\NoOp {
    use Hyperf\Metric\Contract\MetricFactoryInterface;

    abstract class MetricFactory implements MetricFactoryInterface
    {
    }
}

namespace Hyperf\Metric\Contract {
    interface GaugeInterface
    {
        public function with(string ...$labelValues): static;

        public function set(float $value): void;
    }

    interface HistogramInterface
    {
        public function with(string ...$labelValues): static;

        public function put(float $sample): void;
    }

    interface MetricFactoryInterface
    {
        /**
         * @param null|list<string> $labelNames
         */
        public function makeGauge(string $name, ?array $labelNames = []): GaugeInterface;

        /**
         * @param null|list<string> $labelNames
         */
        public function makeHistogram(string $name, ?array $labelNames = []): HistogramInterface;
    }
}

namespace Hyperf\Metric\Event {
    use Hyperf\Metric\Contract\MetricFactoryInterface;

    class MetricFactoryReady
    {
        public function __construct(public MetricFactoryInterface $factory)
        {
        }
    }
}

namespace Hyperf\Process {
    use Psr\Container\ContainerInterface;
    use Psr\EventDispatcher\EventDispatcherInterface;

    abstract class AbstractProcess
    {
        public string $name = 'process';

        public int $nums = 1;

        protected ?EventDispatcherInterface $event = null;

        protected float $recvTimeout = 10.0;

        protected int $restartInterval = 5;

        public function __construct(protected ContainerInterface $container)
        {
        }

        /** @param mixed $server */
        public function isEnable($server): bool
        {
        }

        /** @param mixed $server */
        public function bind($server): void
        {
        }

        abstract public function handle(): void;
    }

    class ProcessManager
    {
        public static function register(AbstractProcess $process): void
        {
        }

        /** @phpstan-impure */
        public static function isRunning(): bool
        {
        }
    }
}

namespace Hyperf\Server\Event {
    class MainCoroutineServerStart
    {
    }
}

namespace Hyperf\Support {
    /**
     * @template T of object
     * @param class-string<T> $name
     * @return T
     */
    function make(string $name): object
    {
    }

    function env(string $key, mixed $default = null): mixed
    {
    }
}

namespace Psr\Http\Message {
    interface ResponseInterface
    {
        public function withStatus(int $code): static;

        public function withHeader(string $name, string $value): static;

        public function withBody(mixed $body): static;
    }
}

namespace Swow\Psr7\Message {
    use Psr\Http\Message\ResponseInterface;

    interface ResponsePlusInterface extends ResponseInterface
    {
    }
}
