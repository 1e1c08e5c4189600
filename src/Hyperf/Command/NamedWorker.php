<?php

declare(strict_types=1);

namespace Reasno\GoTask\Hyperf\Command;

use Reasno\GoTask\Console\Addresses;
use Reasno\GoTask\Console\Options;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Hyperf\Config\Workers;
use Reasno\GoTask\Hyperf\GoTaskFactory;
use Symfony\Component\Console\Input\InputOption;

use function count;
use function in_array;

/**
 * A command of `bin/gotask` that calls a worker of the configuration instead of one at an address.
 *
 * @internal
 */
trait NamedWorker
{
    public function __construct(protected readonly Workers $workers, protected readonly GoTaskFactory $factory)
    {
        parent::__construct(Addresses::connect(...));
    }

    protected function configure(): void
    {
        parent::configure();
        $this->setName("gotask:{$this->getName()}");
        // The defaults are other ones here.
        $options = $this->getDefinition()->getOptions();
        $options['address'] = new InputOption('address', 'a', InputOption::VALUE_REQUIRED, "unix:///path.sock or tcp://host:port [default: the worker's own]");
        $options['timeout'] = new InputOption('timeout', 't', InputOption::VALUE_REQUIRED, "seconds to wait for an answer [default: \$GOTASK_TIMEOUT or the worker's timeout]");
        $options['worker'] = new InputOption('worker', 'w', InputOption::VALUE_REQUIRED, 'a name in config/autoload/gotask.php [default: ' . (self::FOR_EACH ? 'all of them' : Workers::DEFAULT) . ']');
        $this->getDefinition()->setOptions($options);
    }

    protected function worker(Options $options): WorkerConfig
    {
        return $this->workers->get($options->text('worker') ?? Workers::DEFAULT);
    }

    protected function client(Options $options): GoTask
    {
        $address = $options->text('address');
        $worker = $this->worker($options);

        return match (true) {
            $address === null => $this->factory->get($worker->name),
            in_array($address, $worker->addresses, true) => $this->factory->at($worker->name, $address),
            default => parent::client($options),
        };
    }

    protected function targets(Options $options): array
    {
        $given = $options->text('address');
        $name = $options->text('worker') ?? ($given === null ? null : Workers::DEFAULT);
        $workers = $name === null ? $this->workers->all() : [$this->workers->get($name)];
        $targets = [];
        foreach ($workers as $worker) {
            $machines = Addresses::machines($given === null ? $worker->addresses : Addresses::of($given));
            foreach ($machines as $address => $machine) {
                $title = match (true) {
                    $given === null && count($machines) === 1 => $worker->name,
                    count($workers) === 1 => $address,
                    default => "{$worker->name} {$address}",
                };
                $targets[$title] = [
                    ['worker' => $worker->name, 'address' => $address],
                    fn (): GoTask => $given === null || in_array($machine, $worker->addresses, true)
                        ? $this->factory->at($worker->name, $machine)
                        : ($this->connect)([$machine]),
                ];
            }
        }

        return $targets;
    }
}
