<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf;

use Hyperf\Contract\ConfigInterface;
use Hyperf\Contract\StdoutLoggerInterface;
use Hyperf\Framework\Logger\StdoutLogger;
use Psr\Container\ContainerInterface;
use Symfony\Component\Console\Output\ConsoleOutput;

use function array_slice;
use function assert;
use function is_array;
use function is_string;

/**
 * Hyperf's console logger, on standard error: for the commands of this package, whose standard output is a document or a method's
 * result that other programs read. An application that has a console logger of its own keeps it.
 *
 * @internal
 */
class StderrLoggerFactory
{
    public function __invoke(ContainerInterface $container): StdoutLoggerInterface
    {
        $config = $container->get(ConfigInterface::class);
        assert($config instanceof ConfigInterface);

        return new StdoutLogger($config, (new ConsoleOutput())->getErrorOutput());
    }

    /** Whether this process runs one of those commands. */
    public static function isNeeded(): bool
    {
        $arguments = is_array($_SERVER['argv'] ?? null) ? $_SERVER['argv'] : [];
        foreach (array_slice($arguments, 1) as $argument) {
            if (is_string($argument) && ! str_starts_with($argument, '-')) {
                return str_starts_with($argument, 'gotask:');
            }
        }

        return false;
    }
}
