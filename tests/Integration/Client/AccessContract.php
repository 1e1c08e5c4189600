<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Integration\Client;

use Closure;
use PHPUnit\Framework\Attributes\TestWith;
use Reasno\GoTask\Client;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Process\WorkerProcess;
use Reasno\GoTask\Raw;
use Reasno\GoTask\Tests\Unit\Runtime\Stream\HighDescriptorsTest;
use Reasno\GoTask\Tls;

use function array_fill;
use function dirname;
use function fclose;
use function hrtime;
use function in_array;
use function random_bytes;
use function range;
use function str_replace;
use function stream_socket_get_name;
use function stream_socket_server;
use function strrchr;
use function substr;

/**
 * Shared keys and TLS, between the client and the real broker: run once per runtime.
 */
abstract class AccessContract extends RuntimeTestCase
{
    private const KEY = 'a key that is known to both';

    private static ?Certificates $certificates = null;

    /** @var array<string, WorkerProcess> that run for all runtimes, until PHPUnit ends */
    private static array $workers = [];

    public function testWhoHasTheKeyMayCall(): void
    {
        $this->within('tcp', static fn (string $address) => self::assertWorks(new Client($address, key: self::KEY)));
    }

    #[TestWith(['a key that only one side has', 'has another shared key'])]
    #[TestWith([null, 'asks for a shared key'])]
    public function testWhoHasNotIsToldSoAtOnce(?string $key, string $words): void
    {
        $this->within('tcp', function (string $address) use ($key, $words): void {
            $client = new Client($address, key: $key);
            $start = hrtime(true);
            self::assertFails(NotAuthorized::class, $words, static fn () => $client->call('App.hi', 'x'));
            self::assertFails(NotAuthorized::class, $words, static fn () => $client->notify('App.hi', 'x'));
            self::assertLessThan(5.0, (hrtime(true) - $start) / 1e9);
            // All that wait for a connection.
            $callers = array_fill(1, 20, static function () use ($client, $words): bool {
                self::assertFails(NotAuthorized::class, $words, static fn () => $client->call('App.hi', 'x'));

                return true;
            });
            self::assertSame(array_fill(1, 20, true), $this->concurrently($callers));
        });
    }

    public function testABrokerThatDoesNotHaveTheKeyGetsNoCall(): void
    {
        $this->within('open', static function (string $address): void {
            $client = new Client($address, key: self::KEY);
            self::assertFails(NotAuthorized::class, 'can\'t show that it has ours', static fn () => $client->call('App.hi', 'x'));
            self::assertWorks(new Client($address));
        });
    }

    public function testAPeerThatGivesBackWhatItIsToldGetsNoCall(): void
    {
        $peer = new Peer('echo', 'tcp://127.0.0.1:0');
        $this->runIn(static function () use ($peer): void {
            $client = new Client($peer->address, key: self::KEY);
            self::assertFails(NotAuthorized::class, 'does not have our shared key', static fn () => $client->call('App.hi', 'x'));
        });
        $peer->stop();
    }

    public function testOfSeveralAddressesThoseAreCalledThatHaveTheKey(): void
    {
        $stranger = self::$workers['stranger'] ??= self::start('stranger');
        $this->within('tls', static function (string $address) use ($stranger): void {
            $client = new Client([$stranger->address(), $address], key: self::KEY, tls: new Tls(self::certificate('ca.pem')));
            for ($i = 0; $i < 50; $i++) {
                self::assertSame(['hello' => 'x'], $client->call('App.hi', 'x'));
            }
            $client = new Client([$stranger->address(), $address], key: 'a third key that nobody has', tls: new Tls(self::certificate('ca.pem')));
            self::assertFails(NotAuthorized::class, 'has another shared key', static fn () => $client->call('App.hi', 'x'));
        });
    }

    public function testAnAddressThatWasSetAsideIsAskedThroughTlsWhetherItAnswers(): void
    {
        $this->within('tls', function (string $address): void {
            $tls = new Tls(self::certificate('ca.pem'));
            // Nobody listens there until the first worker is found wanting.
            $other = 'tls://localhost:' . self::unused();
            $logger = new RecordingLogger();
            $client = new Client([$other, $address], key: self::KEY, tls: $tls, logger: $logger);
            self::assertWorks($client);
            self::$workers['late'] = self::start('tls', $other);
            $until = hrtime(true) + (int) 30e9;
            while (! in_array('{address} answers again.', $logger->records, true) && hrtime(true) < $until) {
                self::assertSame(['hello' => 'x'], $client->call('App.hi', 'x'));
            }
            self::assertContains('{address} answers again.', $logger->records);
        });
    }

    public function testOnAUnixSocketNoKeyIsNeeded(): void
    {
        $this->within('unix', static fn (string $address) => self::assertWorks(new Client($address, key: self::KEY)));
    }

    public function testCallsPassThroughTls(): void
    {
        $this->within('tls', function (string $address): void {
            $client = new Client($address, key: self::KEY, tls: new Tls(self::certificate('ca.pem')));
            self::assertWorks($client);
            $callers = [];
            foreach (range(1, 8) as $caller) {
                $callers[$caller] = static function () use ($client): int {
                    $right = 0;
                    foreach ([1, 1000, 20_000, 70_000, 300_000] as $size) {
                        $body = random_bytes($size);
                        $right += (int) ($client->call('App.echo', new Raw($body)) === $body);
                    }

                    return $right;
                };
            }
            self::assertSame(array_fill(1, 8, 5), $this->concurrently($callers));
        });
    }

    public function testAnAddressInACertificateIsVerifiedWhereTheRuntimeCan(): void
    {
        $this->within('tls', static function (string $address): void {
            $client = new Client(str_replace('localhost', '127.0.0.1', $address), key: self::KEY, tls: new Tls(self::certificate('ca.pem')));
            if (static::verifiesAddresses()) {
                self::assertWorks($client);
            } else {
                self::assertFails(ConnectFailed::class, 'give Tls a peerName', static fn () => $client->call('App.hi', 'x'));
            }
        });
    }

    public function testLargePayloadsPassThroughTlsBothWays(): void
    {
        $this->within('tls', static function (string $address): void {
            $client = new Client($address, key: self::KEY, tls: new Tls(self::certificate('ca.pem')));
            $body = random_bytes(20 * 1_048_576);
            self::assertTrue($client->call('App.echo', new Raw($body)) === $body);
        });
    }

    public function testTheBrokersCertificateIsVerified(): void
    {
        $this->within('tls', static function (string $address): void {
            foreach ([[self::certificate('other_ca.pem'), null], [null, null], [self::certificate('ca.pem'), 'example.com']] as [$ca, $name]) {
                $client = new Client($address, key: self::KEY, tls: new Tls($ca, peerName: $name));
                self::assertFails(ConnectFailed::class, '', static fn () => $client->call('App.hi', 'x'));
            }
            self::assertWorks(new Client($address, key: self::KEY, tls: new Tls(self::certificate('ca.pem'), peerName: 'worker.test')));
        });
    }

    public function testTheCallersCertificateIsVerifiedWhereTheBrokerAsksForOne(): void
    {
        $this->within('mutual', static function (string $address): void {
            $ca = self::certificate('ca.pem');
            self::assertWorks(new Client($address, tls: new Tls($ca, self::certificate('caller.pem'), self::certificate('caller.key'))));
            foreach ([new Tls($ca), new Tls($ca, self::certificate('other.pem'), self::certificate('other.key'))] as $tls) {
                $client = new Client($address, tls: $tls);
                self::assertFails(ConnectFailed::class, '', static fn () => $client->call('App.hi', 'x'));
            }
        });
    }

    public function testTlsDoesNotStandInForTheKey(): void
    {
        $this->within('tls', static function (string $address): void {
            $client = new Client($address, tls: new Tls(self::certificate('ca.pem')));
            self::assertFails(NotAuthorized::class, 'asks for a shared key', static fn () => $client->call('App.hi', 'x'));
        });
    }

    public function testAPeerThatSpeaksNoTlsIsNoWorker(): void
    {
        $this->within('tcp', static function (string $address): void {
            $address = 'tls' . substr($address, 3);
            $client = new Client($address, tls: new Tls(self::certificate('ca.pem')));
            self::assertFails(ConnectFailed::class, 'It may take no TLS: write tcp://', static fn () => $client->call('App.hi', 'x'));
        });
    }

    public function testACallerThatSpeaksNoTlsWhereTheWorkerDoesIsToldSo(): void
    {
        $this->within('tls', static function (string $address): void {
            foreach ([self::KEY, null] as $key) {
                $plain = 'tcp' . substr($address, 3);
                $client = new Client($plain, key: $key);
                self::assertFails(NotAuthorized::class, "{$plain}: the worker speaks TLS alone there: write tls://", static fn () => $client->call('App.hi', 'x'));
            }
        });
    }

    protected static function verifiesAddresses(): bool
    {
        return true;
    }

    private static function assertWorks(Client $client): void
    {
        self::assertSame(['hello' => 'x'], $client->call('App.hi', 'x'));
        $client->notify('App.hi', 'x');
    }

    /**
     * @param class-string<GoTaskException> $class
     * @param Closure(): mixed $call
     */
    private static function assertFails(string $class, string $words, Closure $call): void
    {
        try {
            $call();
        } catch (GoTaskException $exception) {
            self::assertInstanceOf($class, $exception, $exception->getMessage());
            self::assertStringContainsString($words, $exception->getMessage());
            self::assertStringNotContainsString(self::KEY, (string) $exception);

            return;
        }
        self::fail("There was no {$class}.");
    }

    private static function certificate(string $file): string
    {
        return (self::$certificates ??= new Certificates())->path($file);
    }

    /**
     * @param Closure(string): void $body is given the address of a worker of that kind
     */
    private function within(string $kind, Closure $body): void
    {
        $worker = self::$workers[$kind] ??= self::start($kind);
        HighDescriptorsTest::take();
        $this->runIn(static fn () => $body($worker->address()));
    }

    private static function start(string $kind, ?string $address = null): WorkerProcess
    {
        $tls = ['GOTASK_TLS_CERTIFICATE' => self::certificate('broker.pem'), 'GOTASK_TLS_KEY' => self::certificate('broker.key')];
        [$scheme, $environment] = match ($kind) {
            'tcp' => ['tcp', ['GOTASK_KEY' => self::KEY]],
            'tls' => ['tls', $tls + ['GOTASK_KEY' => self::KEY]],
            'mutual' => ['tls', $tls + ['GOTASK_TLS_CA' => self::certificate('ca.pem')]],
            'open' => ['tcp', []],
            'stranger' => ['tcp', ['GOTASK_KEY' => 'a key that only one side has']],
            default => [null, ['GOTASK_KEY' => self::KEY]],
        };
        $address ??= $scheme === null ? null : "{$scheme}://localhost:" . self::unused();
        $worker = new WorkerProcess(dirname(__DIR__) . '/Fixtures/app.py', $address, workers: 1, environment: $environment);
        $worker->start();

        return $worker;
    }

    /**
     * @return string a port where nobody listens
     */
    private static function unused(): string
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        self::assertIsResource($server);
        $name = (string) stream_socket_get_name($server, false);
        fclose($server);

        return substr((string) strrchr($name, ':'), 1);
    }
}
