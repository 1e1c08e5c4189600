<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Hyperf;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Hyperf\Config\LogConfig;
use Reasno\GoTask\Hyperf\Config\PoolConfig;
use Reasno\GoTask\Hyperf\Config\Section;
use Reasno\GoTask\Hyperf\Config\WorkerConfig;

/**
 * @internal
 */
#[CoversClass(WorkerConfig::class)]
#[CoversClass(PoolConfig::class)]
#[CoversClass(LogConfig::class)]
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
        self::assertSame([1, 4, 10.0, 60.0], [$config->pool->minConnections, $config->pool->maxConnections, $config->pool->connectTimeout, $config->pool->maxIdleTime]);
        self::assertSame(['gotask', 'default', 'info'], [$config->log->name, $config->log->channel, $config->log->level]);
        self::assertSame(WorkerConfig::ATTACH, $config->console);
    }

    public function testNumbersMayComeAsTextAsTheyDoFromTheEnvironment(): void
    {
        $config = WorkerConfig::of('default', ['workers' => '3', 'timeout' => '2.5', 'limits' => ['max_payload' => '2048'], 'pool' => ['max_connections' => '2']], '/srv/app');

        self::assertSame(3, $config->workers);
        self::assertSame(2.5, $config->timeout);
        self::assertSame(2048, $config->maxPayload);
        self::assertSame(2, $config->pool->maxConnections);
    }

    public function testWhatIsNoFileOfTheProjectIsLeftAsItIs(): void
    {
        $config = WorkerConfig::of('default', ['app' => 'company.services', 'address' => 'tcp://10.0.0.1:6001'], '/srv/app');

        self::assertSame('company.services', $config->app);
        self::assertSame('tcp://10.0.0.1:6001', $config->address);
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
        yield 'unknown' => [['adress' => 'tcp://h:1'], 'gotask.default.adress in config/autoload/gotask.php is unknown'];
        yield 'unknown below' => [['pool' => ['wait_timeout' => 1]], 'gotask.default.pool.wait_timeout in config/autoload/gotask.php is unknown'];
        yield 'no number' => [['workers' => 'two'], "gotask.default.workers in config/autoload/gotask.php must be a whole number from 0 to 1024, not 'two'"];
        yield 'out of bounds' => [['limits' => ['concurrency' => 501]], 'gotask.default.limits.concurrency'];
        yield 'no flag' => [['managed' => 'yes'], "gotask.default.managed in config/autoload/gotask.php must be true or false, not 'yes'"];
        yield 'no time' => [['timeout' => 0], 'gotask.default.timeout'];
        yield 'no choice' => [['console' => 'both'], 'gotask.default.console in config/autoload/gotask.php must be one of attach, private'];
        yield 'no section' => [['pool' => 4], 'gotask.default.pool in config/autoload/gotask.php must be an array, not 4'];
        yield 'no text' => [['log' => ['channel' => ['x']]], 'gotask.default.log.channel'];
        yield 'no variables' => [['environment' => ['OMP_NUM_THREADS']], 'gotask.default.environment'];
        yield 'more at least than at most' => [['pool' => ['min_connections' => 5]], 'gotask.default.pool.min_connections'];
    }
}
