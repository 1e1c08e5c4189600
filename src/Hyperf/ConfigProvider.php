<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf;

use Hyperf\Contract\StdoutLoggerInterface;
use Hyperf\Metric\Contract\MetricFactoryInterface;
use LogicException;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Hyperf\Aspect\WorkerAspect;
use Reasno\GoTask\Hyperf\Command\CallCommand;
use Reasno\GoTask\Hyperf\Command\DoctorCommand;
use Reasno\GoTask\Hyperf\Command\DumpCommand;
use Reasno\GoTask\Hyperf\Command\GenerateCommand;
use Reasno\GoTask\Hyperf\Command\InstallCommand;
use Reasno\GoTask\Hyperf\Command\MethodsCommand;
use Reasno\GoTask\Hyperf\Command\ReloadCommand;
use Reasno\GoTask\Hyperf\Command\StatusCommand;
use Reasno\GoTask\Hyperf\Command\TopCommand;
use Reasno\GoTask\Hyperf\Config\BasePath;
use Reasno\GoTask\Hyperf\Listener\PrivateWorkersListener;
use Reasno\GoTask\Hyperf\Listener\RegisterProcessesListener;
use Reasno\GoTask\Hyperf\Listener\ReloadListener;
use Reasno\GoTask\Hyperf\Listener\TracebackListener;
use Reasno\GoTask\Hyperf\Metric\WorkerMetrics;

use function dirname;
use function interface_exists;

/**
 * Registers this package with Hyperf.
 */
class ConfigProvider
{
    /**
     * The packages of Hyperf that are required, with a class of each.
     *
     * @var array<string, string>
     */
    protected const REQUIRED = [
        'hyperf/command' => 'Hyperf\Command\Command',
        'hyperf/contract' => 'Hyperf\Contract\ConfigInterface',
        'hyperf/di' => 'Hyperf\Di\Container',
        'hyperf/event' => 'Hyperf\Event\ListenerProvider',
        'hyperf/framework' => 'Hyperf\Framework\Event\BeforeMainServerStart',
        'hyperf/process' => 'Hyperf\Process\AbstractProcess',
        'hyperf/server' => 'Hyperf\Server\Server',
    ];

    /**
     * @return array<string, mixed>
     * @throws LogicException when a package of Hyperf's is missing
     */
    public function __invoke(): array
    {
        $this->requirePackages();
        WorkerAspect::register();
        $publish = dirname(__DIR__, 2) . '/publish';
        $base = BasePath::get();

        return [
            'dependencies' => [
                GoTask::class => GoTaskFactory::class,
                ...StderrLoggerFactory::isNeeded() ? [StdoutLoggerInterface::class => StderrLoggerFactory::class] : [],
            ],
            'aspects' => [
                WorkerAspect::class,
            ],
            'commands' => [
                CallCommand::class,
                DoctorCommand::class,
                DumpCommand::class,
                GenerateCommand::class,
                InstallCommand::class,
                MethodsCommand::class,
                ReloadCommand::class,
                StatusCommand::class,
                TopCommand::class,
            ],
            'listeners' => [
                PrivateWorkersListener::class,
                // Before Hyperf's own, which starts the processes that are registered by then.
                RegisterProcessesListener::class => 99,
                // After the application's.
                ReloadListener::class => -99,
                // After Hyperf's own, which sorts the handlers.
                TracebackListener::class => -99,
                ...interface_exists(MetricFactoryInterface::class) ? [WorkerMetrics::class] : [],
            ],
            'publish' => [
                [
                    'id' => 'config',
                    'description' => 'The configuration of the Python workers.',
                    'source' => "{$publish}/gotask.php",
                    'destination' => "{$base}/config/autoload/gotask.php",
                ],
                [
                    'id' => 'app',
                    'description' => 'The Python app.',
                    'source' => "{$publish}/gotask/app.py",
                    'destination' => "{$base}/gotask/app.py",
                ],
                [
                    'id' => 'requirements',
                    'description' => 'What the Python app needs from PyPI.',
                    'source' => "{$publish}/gotask/requirements.txt",
                    'destination' => "{$base}/gotask/requirements.txt",
                ],
                [
                    'id' => 'test',
                    'description' => 'The tests of the Python app.',
                    'source' => "{$publish}/gotask/test_app.py",
                    'destination' => "{$base}/gotask/test_app.py",
                ],
            ],
        ];
    }

    private function requirePackages(): void
    {
        $missing = [];
        foreach (static::REQUIRED as $package => $class) {
            if (! class_exists($class) && ! interface_exists($class)) {
                $missing[] = $package;
            }
        }
        if ($missing !== []) {
            throw new LogicException('The Hyperf part of reasno/gotask needs what is not installed: composer require ' . implode(' ', $missing));
        }
    }
}
