<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Listener;

use Hyperf\Contract\ConfigInterface;
use Hyperf\Event\Contract\ListenerInterface;
use Hyperf\Framework\Event\BootApplication;
use Reasno\GoTask\Hyperf\Exception\PythonTracebackHandler;

use function in_array;
use function is_array;

/**
 * Puts the handler that logs Python's traceback after the application's own, for each of its servers that has handlers.
 *
 * @internal
 */
class TracebackListener implements ListenerInterface
{
    public function __construct(protected ConfigInterface $config)
    {
    }

    public function listen(): array
    {
        return [BootApplication::class];
    }

    public function process(object $event): void
    {
        $servers = $this->config->get('exceptions.handler', []);
        foreach (is_array($servers) ? $servers : [] as $server => $handlers) {
            // A server without handlers uses Hyperf's; a list with this one alone would replace them.
            if (is_array($handlers) && $handlers !== [] && ! in_array(PythonTracebackHandler::class, $handlers, true)) {
                $this->config->set("exceptions.handler.{$server}", [...array_values($handlers), PythonTracebackHandler::class]);
            }
        }
    }
}
