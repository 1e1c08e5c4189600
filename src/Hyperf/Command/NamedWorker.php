<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Client;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\GoTaskFactory;
use Symfony\Component\Console\Input\InputOption;

/**
 * A command of `bin/gotask` that calls a worker of the configuration instead of one at an address.
 *
 * @internal
 */
trait NamedWorker
{
    public function __construct(protected readonly Workers $workers, protected readonly GoTaskFactory $factory)
    {
        parent::__construct(static fn (string $address): GoTask => new Client($address));
    }

    protected function configure(): void
    {
        parent::configure();
        $this->setName("gotask:{$this->getName()}");
        $this->addOption('worker', 'w', InputOption::VALUE_REQUIRED, 'a name in config/autoload/gotask.php', Workers::DEFAULT);
    }

    protected function worker(Options $options): WorkerConfig
    {
        return $this->workers->get($options->text('worker') ?? Workers::DEFAULT);
    }

    protected function client(Options $options): GoTask
    {
        return $options->text('address') === null ? $this->factory->get($this->worker($options)->name) : parent::client($options);
    }
}
