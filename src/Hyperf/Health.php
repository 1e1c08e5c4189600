<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf;

use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\DeadlineExceeded;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Hyperf\Config\Workers;

/**
 * Whether the workers take calls, for a controller that a load balancer or an orchestrator asks.
 *
 *     return $response->json($health->all())->withStatus($health->isWell() ? 200 : 503);
 */
class Health
{
    public function __construct(protected Workers $workers, protected GoTaskFactory $factory)
    {
    }

    /**
     * @param float $timeout seconds that the answer may take
     * @return null|string what is wrong with the worker; null: nothing
     */
    public function check(string $worker = Workers::DEFAULT, float $timeout = 1.0): ?string
    {
        try {
            // The broker's own method: busy workers don't make it ill.
            $this->factory->get($worker)->call('GoTask.Ping', null, $timeout);

            return null;
        } catch (GoTaskException $failure) {
            // Report the state of the worker, not that the question was not sent.
            $cause = $failure->getPrevious();

            return ($failure instanceof DeadlineExceeded && $cause instanceof ConnectFailed ? $cause : $failure)->getMessage();
        }
    }

    /**
     * @return array<string, null|string> what is wrong, by worker
     */
    public function all(float $timeout = 1.0): array
    {
        $all = [];
        foreach ($this->workers->all() as $name => $_) {
            $all[$name] = $this->check($name, $timeout);
        }

        return $all;
    }

    public function isWell(float $timeout = 1.0): bool
    {
        return array_filter($this->all($timeout)) === [];
    }
}
