<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Hyperf;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Psr\Log\NullLogger;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Hyperf\Config\OptionNames;
use Reasno\GoTask\Hyperf\Config\Section;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;
use Reasno\GoTask\Process\WorkerProcess;
use ReflectionProperty;

use function dirname;
use function function_exists;
use function strlen;

/**
 * @internal
 */
#[CoversClass(WorkerConfig::class)]
#[CoversClass(OptionNames::class)]
#[CoversClass(Section::class)]
final class WorkerConfigTest extends TestCase
{
    public function testEveryKeyHasADefault(): void
    {
        $config = WorkerConfig::of('ml', [], '/srv/app');

        self::assertTrue($config->managed);
        self::assertSame('unix:///srv/app/runtime/gotask/ml.sock', $config->address);
        self::assertSame('/srv/app/gotask/app.py', $config->app);
        self::assertNull($config->workers);
        self::assertSame(30.0, $config->timeout);
        self::assertSame('67108864', $config->environment['GOTASK_MAX_PAYLOAD']);
        self::assertSame([1, 4, 10.0, 60.0], [$config->minConnections, $config->maxConnections, $config->connectTimeout, $config->maxIdleTime]);
        self::assertSame(['gotask', 'default', 'info'], [$config->logName, $config->logChannel, $config->environment['GOTASK_LOG_LEVEL']]);
        self::assertSame(WorkerConfig::ATTACH, $config->console);
    }

    public function testOneThatIsNotManagedMayHaveSeveralAddresses(): void
    {
        $addresses = ['tcp://10.0.0.1:6001', 'unix:///srv/app/ml.sock'];
        foreach (['tcp://10.0.0.1:6001, unix://ml.sock', ['tcp://10.0.0.1:6001', 'unix://ml.sock']] as $value) {
            self::assertSame($addresses, WorkerConfig::of('ml', ['managed' => false, 'address' => $value], '/srv/app')->addresses);
        }
        self::assertSame(['unix:///a,b'], WorkerConfig::of('ml', ['address' => 'unix:///a,b'], '/srv/app')->addresses);
        foreach ([[true, $addresses], [false, []], [false, ['']], [false, 'tcp://a:1,,tcp://b:1'], [false, [1]]] as [$managed, $value]) {
            try {
                WorkerConfig::of('ml', ['managed' => $managed, 'address' => $value], '/srv/app');
                self::fail('It was taken.');
            } catch (InvalidConfiguration $error) {
                self::assertStringContainsString('gotask.ml.address', $error->getMessage());
            }
        }
    }

    public function testNumbersMayComeAsTextAsTheyDoFromTheEnvironment(): void
    {
        $config = WorkerConfig::of('default', ['workers' => '3', 'timeout' => '2.5', 'limits' => ['max_payload' => '2048'], 'pool' => ['max_connections' => '2']], '/srv/app');

        self::assertSame(3, $config->workers);
        self::assertSame(2.5, $config->timeout);
        self::assertSame(2048, $config->maxPayload);
        self::assertSame(2, $config->maxConnections);
    }

    /** An empty variable in .env is one that is not set. */
    public function testEveryKeyOfThePublishedFileMayBeEmpty(): void
    {
        $variables = [];
        $published = (string) file_get_contents(__DIR__ . '/../../../publish/gotask.php');
        self::assertGreaterThan(20, preg_match_all("/env\\('(\\w+)'/", $published, $variables));
        foreach ($variables[1] as $name) {
            putenv("{$name}=");
        }
        $values = self::published();
        $tls = ['ca' => '', 'certificate' => '', 'key' => '', 'peer_name' => ''];

        self::assertEquals(WorkerConfig::of('default', [], '/srv/app'), WorkerConfig::of('default', ['tls' => $tls] + $values, '/srv/app'));
    }

    public function testTheVariableForTheConsoleHoldsForEveryWorkerThatDoesNotSayOtherwise(): void
    {
        putenv('GOTASK_CONSOLE=private');

        self::assertSame(WorkerConfig::PRIVATE, WorkerConfig::of('ml', [], '/srv/app')->console);
        self::assertSame(WorkerConfig::ATTACH, WorkerConfig::of('ml', ['console' => 'attach'], '/srv/app')->console);
    }

    public function testWhatTheBrokerIsToKeepReachesItAsVariables(): void
    {
        $config = WorkerConfig::of('default', [
            'min_workers' => 1, 'workers' => '4', 'async_workers' => 2, 'idle_time' => 5, 'slow_log' => 1.5, 'watch' => '1', 'web' => 'tcp://127.0.0.1:9180', 'environment' => ['GOTASK_MAX_AGE' => '7'],
            'limits' => ['max_calls' => 1000, 'max_age' => 3600, 'max_memory' => '1073741824', 'max_memory_hard' => 1 << 31, 'interrupt_grace' => 0.25],
        ], '/srv/app');

        foreach (['MIN_WORKERS' => '1', 'ASYNC_WORKERS' => '2', 'IDLE_TIME' => '5', 'SLOW_LOG' => '1.5', 'WATCH' => '1', 'WEB' => 'tcp://127.0.0.1:9180', 'MAX_CALLS' => '1000', 'MAX_MEMORY' => '1073741824', 'MAX_MEMORY_HARD' => '2147483648', 'INTERRUPT_GRACE' => '0.25'] as $name => $value) {
            self::assertSame($value, $config->environment["GOTASK_{$name}"], $name);
        }
        self::assertSame('7', $config->environment['GOTASK_MAX_AGE'], 'the environment wins over everything else');
    }

    /** It would be at the address of the page of the worker that serves. */
    public function testAPrivateWorkerHasNoPage(): void
    {
        $config = WorkerConfig::of('default', ['web' => 'tcp://127.0.0.1:9180'], '/srv/app');
        foreach (['unix:///srv/app/a.sock' => 'tcp://127.0.0.1:9180', '' => ''] as $address => $web) {
            $environment = (new ReflectionProperty(WorkerProcess::class, 'environment'))->getValue($config->process($address ?: null, new NullLogger()));
            self::assertIsArray($environment);
            self::assertSame($web, $environment['GOTASK_WEB']);
        }
    }

    public function testWithoutASettingTheBrokerRecyclesNothing(): void
    {
        $environment = WorkerConfig::of('default', [], '/srv/app')->environment;

        foreach (['WATCH' => '0', 'SLOW_LOG' => '0', 'WEB' => '', 'MAX_CALLS' => '0', 'MAX_AGE' => '0', 'MAX_MEMORY' => '0', 'MAX_MEMORY_HARD' => '0', 'INTERRUPT_GRACE' => '0.1', 'IDLE_TIME' => '60'] as $name => $value) {
            self::assertSame($value, $environment["GOTASK_{$name}"], $name);
        }
        self::assertArrayNotHasKey('GOTASK_MIN_WORKERS', $environment, 'the broker decides');
    }

    public function testEachVariableIsOneThatTheBrokerKnows(): void
    {
        $options = (string) file_get_contents(__DIR__ . '/../../../python/gotask/config.py');
        $names = array_keys(WorkerConfig::of('default', ['min_workers' => 1], '/srv/app')->environment);
        foreach (array_diff($names, [OptionNames::VARIABLE]) as $name) {
            $flag = strtr(strtolower(substr($name, strlen('GOTASK_'))), '_', '-');
            self::assertMatchesRegularExpression("/\"(--)?{$flag}\"/", $options);
        }
    }

    /** What the broker tells people to raise is what they can raise here. */
    public function testTheBrokerKnowsWhatItsOptionsAreCalledHere(): void
    {
        $names = json_decode(WorkerConfig::of('ml', [], '/srv/app')->environment[OptionNames::VARIABLE], true);
        self::assertIsArray($names);
        self::assertSame('gotask.ml.limits.max_payload', $names['--max-payload']);
        self::assertSame('GOTASK_ALLOW_UIDS in gotask.ml.environment', $names['--allow-uids']);

        // Each key is one, and each flag in a message has a name.
        foreach ($names as $key) {
            self::assertIsString($key);
            if (str_contains($key, ' ')) {
                continue;
            }
            $values = [];
            foreach (array_reverse(explode('.', substr($key, strlen('gotask.ml.')))) as $part) {
                $values = [$part => $values === [] ? null : $values];
            }
            self::assertSame('ml', WorkerConfig::of('ml', $values, '/srv/app')->name, $key);
        }
        foreach (glob(__DIR__ . '/../../../python/gotask/{,*/}*.py', GLOB_BRACE) ?: [] as $file) {
            preg_match_all('/\boption\([\'"](--[a-z-]+)/', (string) file_get_contents($file), $flags);
            self::assertSame([], array_diff($flags[1], array_keys($names)), $file);
        }
    }

    public function testBothSidesGetTheSharedKey(): void
    {
        $config = WorkerConfig::of('default', ['key' => 'a key that is known to both'], '/srv/app');

        self::assertSame('a key that is known to both', $config->key);
        self::assertSame('a key that is known to both', $config->environment['GOTASK_KEY']);
        self::assertSame('', $config->environment['GOTASK_KEY_FILE']);
        self::assertNull(WorkerConfig::of('default', [], '/srv/app')->key);
        self::assertArrayNotHasKey('GOTASK_KEY', WorkerConfig::of('default', [], '/srv/app')->environment);
    }

    public function testAKeyFileIsTheProjects(): void
    {
        $path = (string) tempnam(sys_get_temp_dir(), 'gotask');
        file_put_contents($path, "a key that is known to both\n");
        $config = WorkerConfig::of('default', ['key_file' => basename($path)], dirname($path));
        unlink($path);

        self::assertSame('a key that is known to both', $config->key);
        self::assertSame($path, $config->environment['GOTASK_KEY_FILE']);
        self::assertSame('', $config->environment['GOTASK_KEY']);
    }

    public function testWhatIsNoFileOfTheProjectIsLeftAsItIs(): void
    {
        $config = WorkerConfig::of('default', ['app' => 'company.services', 'address' => 'tcp://10.0.0.1:6001', 'observers' => ['A', 'B']], '/srv/app');
        self::assertSame(['A', 'B'], $config->observers);

        self::assertSame('company.services', $config->app);
        self::assertSame('tcp://10.0.0.1:6001', $config->address);
    }

    /**
     * @return array<array-key, mixed>
     */
    private static function published(): array
    {
        // Hyperf's, of which only the part for a variable that is set is needed here.
        function_exists('Hyperf\Support\env') || eval('namespace Hyperf\Support; function env(string $key, mixed $default = null): mixed { $value = getenv($key); return $value === false ? $default : $value; }');
        $values = require __DIR__ . '/../../../publish/gotask.php';
        self::assertIsArray($values);
        $default = $values['default'];
        self::assertIsArray($default);
        self::assertContainsOnlyString(array_keys($default));

        return $default;
    }

    /**
     * @param array<string, mixed> $values
     */
    #[DataProvider('mistakes')]
    public function testAMistakeIsNamed(array $values, string $message): void
    {
        $this->expectException(InvalidConfiguration::class);
        $this->expectExceptionMessage($message);
        WorkerConfig::of('default', $values, '/srv/app');
    }

    /**
     * @return iterable<string, array{array<string, mixed>, string}>
     */
    public static function mistakes(): iterable
    {
        yield 'key and file' => [['key' => 'a', 'key_file' => 'b'], 'gotask.default.key_file in config/autoload/gotask.php can\'t be given beside key'];
        yield 'no such file' => [['key_file' => 'nowhere'], 'gotask.default.key_file in config/autoload/gotask.php can\'t be used: The key file /srv/app/nowhere can\'t be read'];
        yield 'no such certificate' => [['tls' => ['ca' => '/nowhere']], 'The file /nowhere for TLS can\'t be read'];
        yield 'unknown' => [['adress' => 'tcp://h:1'], 'gotask.default.adress in config/autoload/gotask.php is unknown: did you mean gotask.default.address?'];
        yield 'unknown below' => [['pool' => ['recycle' => 1]], 'gotask.default.pool.recycle in config/autoload/gotask.php is unknown.'];
        yield 'of another section' => [['max_payload' => 1], 'gotask.default.max_payload in config/autoload/gotask.php is unknown: did you mean gotask.default.limits.max_payload?'];
        yield 'of the same section' => [['tls' => ['Key' => 'x']], 'gotask.default.tls.Key in config/autoload/gotask.php is unknown: did you mean gotask.default.tls.key?'];
        yield 'near' => [['limits' => ['max_call' => 1]], 'did you mean gotask.default.limits.max_calls?'];
        yield 'in a section of log' => [['log' => ['lvl' => 'info']], 'gotask.default.log.lvl in config/autoload/gotask.php is unknown'];
        yield 'the name of a list' => [['worker' => 2], 'did you mean gotask.default.workers?'];
        yield 'no number' => [['workers' => 'two'], "gotask.default.workers in config/autoload/gotask.php must be a whole number from 1 to 1024, not 'two'"];
        yield 'out of bounds' => [['limits' => ['concurrency' => 501]], 'gotask.default.limits.concurrency'];
        yield 'no flag' => [['managed' => 'yes'], "gotask.default.managed in config/autoload/gotask.php must be true or false, not 'yes'"];
        yield 'no flag of numbers' => [['watch' => 2], 'gotask.default.watch in config/autoload/gotask.php must be true or false, not 2'];
        yield 'more at least than there are' => [['workers' => 2, 'min_workers' => 3], 'gotask.default.min_workers in config/autoload/gotask.php must be a whole number from 1 to 2, not 3'];
        yield 'a negative limit' => [['limits' => ['max_memory' => -1]], 'gotask.default.limits.max_memory'];
        yield 'no time and not never' => [['limits' => ['max_age' => 86_401]], 'gotask.default.limits.max_age in config/autoload/gotask.php must be a number of seconds up to 86400, or 0'];
        yield 'no time' => [['timeout' => 0], 'gotask.default.timeout'];
        yield 'no choice' => [['console' => 'both'], 'gotask.default.console in config/autoload/gotask.php must be one of attach, private'];
        yield 'no section' => [['pool' => 4], 'gotask.default.pool in config/autoload/gotask.php must be an array, not 4'];
        yield 'no text' => [['log' => ['channel' => ['x']]], 'gotask.default.log.channel'];
        yield 'no variables' => [['environment' => ['OMP_NUM_THREADS']], 'gotask.default.environment'];
        yield 'more at least than at most' => [['pool' => ['min_connections' => 5]], 'gotask.default.pool.min_connections'];
    }
}
