<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests;

use PHPUnit\Event\Test\PreparationStarted;
use PHPUnit\Event\Test\PreparationStartedSubscriber;
use PHPUnit\Runner\Extension\Extension;
use PHPUnit\Runner\Extension\Facade;
use PHPUnit\Runner\Extension\ParameterCollection;
use PHPUnit\TextUI\Configuration\Configuration;

use function array_diff_assoc;
use function array_diff_key;
use function array_keys;
use function function_exists;
use function getenv;
use function pcntl_signal;
use function putenv;

/**
 * Each test finds the environment variables that PHPUnit was started with, whatever other tests set and remove, and exit codes.
 */
final class SameEnvironment implements Extension, PreparationStartedSubscriber
{
    /** @var array<string, string> */
    private array $variables = [];

    public function bootstrap(Configuration $configuration, Facade $facade, ParameterCollection $parameters): void
    {
        $this->variables = getenv();
        // Whoever started PHPUnit may ignore it: the kernel would then keep no exit code of what tests start.
        if (function_exists('pcntl_signal')) {
            pcntl_signal(SIGCHLD, SIG_DFL);
        }
        $facade->registerSubscriber($this);
    }

    public function notify(PreparationStarted $event): void
    {
        foreach (array_keys(array_diff_key(getenv(), $this->variables)) as $added) {
            putenv($added);
        }
        foreach (array_diff_assoc($this->variables, getenv()) as $name => $value) {
            putenv("{$name}={$value}");
        }
    }
}
