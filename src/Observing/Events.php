<?php

declare(strict_types=1);

namespace Reasno\GoTask\Observing;

use Closure;
use Psr\EventDispatcher\EventDispatcherInterface;
use Reasno\GoTask\Observer;
use Throwable;

use function hrtime;

/**
 * Dispatches a CallEnded for each call (PSR-14).
 *
 *     new Client('unix:///run/app/gotask.sock', observers: [new Events($dispatcher)])
 */
final class Events implements Observer
{
    public function __construct(private readonly EventDispatcherInterface $dispatcher)
    {
    }

    public function begin(string $method, array &$headers): Closure
    {
        $began = hrtime(true);

        return function (?Throwable $error) use ($method, $began): void {
            $this->dispatcher->dispatch(new CallEnded($method, (hrtime(true) - $began) / 1e9, $error));
        };
    }
}
