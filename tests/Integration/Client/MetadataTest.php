<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use ArrayObject;
use Closure;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;
use Psr\EventDispatcher\EventDispatcherInterface;
use Reasno\GoTask\Args;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\InvalidRequest;
use Reasno\GoTask\Exception\RemoteError;
use Reasno\GoTask\Observer;
use Reasno\GoTask\Observing\CallEnded;
use Reasno\GoTask\Observing\Events;
use Reasno\GoTask\Process\WorkerProcess;
use RuntimeException;
use Throwable;

use function array_map;
use function array_unique;
use function count;
use function dirname;
use function hrtime;
use function interface_exists;
use function is_array;
use function range;
use function str_repeat;
use function usleep;

use const SORT_REGULAR;

/**
 * Headers, keys and observers of calls.
 *
 * @internal
 */
#[RequiresPhpExtension('pcntl')]
#[RequiresPhpExtension('posix')]
final class MetadataTest extends TestCase
{
    private static ?WorkerProcess $worker = null;

    private static Client $client;

    public static function setUpBeforeClass(): void
    {
        self::$worker = new WorkerProcess(dirname(__DIR__) . '/Fixtures/metadata.py', workers: 2);
        self::$worker->start();
        self::$client = new Client(self::$worker->address());
    }

    public static function tearDownAfterClass(): void
    {
        self::$worker?->stop();
        self::$worker = null;
    }

    public function testTheMethodSeesTheHeaders(): void
    {
        $headers = ['tenant' => '7', 'größe' => 'ü', '5' => ''];
        self::assertSame([$headers, 'x'], self::$client->call('Meta.Headers', 'x', headers: $headers));
        self::assertSame([$headers, 'x'], self::$client->callAsync('Meta.Headers', 'x', headers: $headers, key: 'k')->await());
        self::assertSame([$headers, 1, 2], self::$client->call('Meta.Headers', new Args(1, 2), headers: $headers));
        self::assertSame([[], 'x'], self::$client->call('Meta.Headers', 'x'));
        foreach ([70_000, 300_000] as $size) {
            $large = str_repeat('x', $size);
            self::assertSame([$headers, $large], self::$client->call('Meta.Headers', $large, headers: $headers));
        }
    }

    public function testWrongHeadersAreErrorsAtTheCaller(): void
    {
        foreach ([['a' => 1], ['a' => "\xff"], ['a' => str_repeat('x', 8192)]] as $headers) {
            try {
                self::$client->call('Meta.Headers', 'x', headers: $headers); // @phpstan-ignore argument.type
                self::fail('No error.');
            } catch (InvalidRequest $error) {
                self::assertStringContainsString('header', $error->getMessage());
            }
        }
    }

    public function testOneKeyGoesToOneWorker(): void
    {
        $limit = hrtime(true) + 20e9;
        do {
            usleep(5000);
            $status = self::$client->call('GoTask.Status');
            $workers = is_array($status) && is_array($status['services'] ?? null) && is_array($status['services'][0] ?? null) ? $status['services'][0]['workers'] : 0;
        } while ($workers !== 2 && hrtime(true) < $limit);
        $pids = array_map(static fn (int $user): mixed => self::$client->call('Meta.Pid', key: $user), range(1, 20));
        self::assertCount(2, array_unique($pids, SORT_REGULAR));
        self::assertSame($pids, array_map(static fn (int $user): mixed => self::$client->callAsync('Meta.Pid', key: (string) $user)->await(), range(1, 20)));
        self::$client->notify('Meta.Pid', key: 5);
    }

    public function testObserversSeeEachCallAndItsEnd(): void
    {
        $seen = new ArrayObject();
        $client = $this->observed($seen);
        $client->call('Meta.Pid');
        $client->callAsync('Meta.Pid')->await();
        $client->parallel([['Meta.Pid'], ['Meta.Pid']]);
        $client->notify('Meta.Pid');
        self::assertEquals(array_map(static fn (): array => ['Meta.Pid', null], range(1, 5)), $seen->getArrayCopy());

        $seen->exchangeArray([]);
        foreach (['call', 'async', 'parallel'] as $way) {
            try {
                match ($way) {
                    'call' => $client->call('Meta.Raises'),
                    'async' => $client->callAsync('Meta.Raises')->await(),
                    'parallel' => $client->parallel([['Meta.Raises']]),
                };
                self::fail('No error.');
            } catch (Throwable) {
                self::assertEquals([['Meta.Raises', RemoteError::class]], $seen->getArrayCopy(), $way);
                $seen->exchangeArray([]);
            }
        }

        $client->callAsync('Meta.Pid')->cancel();
        self::assertEquals([['Meta.Pid', null]], $seen->getArrayCopy());
    }

    public function testQuickCallsThatAreObservedKeepTheFastPath(): void
    {
        $seen = new ArrayObject();
        $client = $this->observed($seen);
        for ($i = 0; $i < 100; $i++) {
            $client->call('Meta.Pid');
        }
        self::assertCount(100, $seen);
    }

    public function testACallThatCannotBeSentHasEndedToo(): void
    {
        $seen = new ArrayObject();
        $client = $this->observed($seen, 'unix:///nowhere/at/all.sock');
        try {
            $client->call('Meta.Pid', timeout: 0.1);
            self::fail('No error.');
        } catch (ConnectFailed) {
            self::assertEquals([['Meta.Pid', ConnectFailed::class]], $seen->getArrayCopy());
        }
    }

    public function testHeadersOfObserversGoWithTheCall(): void
    {
        $observer = new class implements Observer {
            public function begin(string $method, array &$headers): Closure
            {
                $headers['trace'] = 't';

                return static fn (?Throwable $error): never => throw new RuntimeException('An observer that fails harms no call.');
            }
        };
        $client = new Client((string) self::$worker?->address(), observers: [$observer], logger: $logger = new RecordingLogger());
        self::assertSame([['own' => 'o', 'trace' => 't']], $client->call('Meta.Headers', headers: ['own' => 'o']));
        self::assertSame([[['trace' => 't'], 1], [['trace' => 't'], 2]], $client->parallel([['Meta.Headers', 1], ['Meta.Headers', 2]]));
        self::assertGreaterThanOrEqual(3, count($logger->records));
    }

    /**
     * @param ArrayObject<int, array{string, null|class-string}> $seen
     */
    private function observed(ArrayObject $seen, ?string $address = null): Client
    {
        if (! interface_exists(EventDispatcherInterface::class)) {
            self::markTestSkipped('psr/event-dispatcher is not installed.');
        }
        $dispatcher = new class(static function (CallEnded $event) use ($seen): void {
            self::assertGreaterThan(0.0, $event->seconds);
            $seen[] = [$event->method, $event->error === null ? null : $event->error::class];
        }) implements EventDispatcherInterface {
            /**
             * @param Closure(CallEnded): void $listener
             */
            public function __construct(private readonly Closure $listener)
            {
            }

            public function dispatch(object $event): object
            {
                if ($event instanceof CallEnded) {
                    ($this->listener)($event);
                }

                return $event;
            }
        };

        return new Client($address ?? (string) self::$worker?->address(), observers: [new Events($dispatcher)]);
    }
}
