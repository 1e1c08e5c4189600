<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Exception;

use InvalidArgumentException;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\TestWith;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\CallFailed;
use Reasno\GoTask\Exception\ConnectFailed;
use Reasno\GoTask\Exception\ConnectionLost;
use Reasno\GoTask\Exception\DecodeFailed;
use Reasno\GoTask\Exception\EncodeFailed;
use Reasno\GoTask\Exception\GoTaskException;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Exception\ProtocolError;
use Reasno\GoTask\Exception\RemoteTraceback;
use Reasno\GoTask\Exception\TransportFailed;
use Reasno\GoTask\Exception\WorkerStartFailed;
use ReflectionClass;
use RuntimeException;
use Throwable;
use UnexpectedValueException;

#[CoversClass(ConnectionLost::class)]
#[CoversClass(TransportFailed::class)]
#[CoversClass(WorkerStartFailed::class)]
#[CoversClass(EncodeFailed::class)]
#[CoversClass(DecodeFailed::class)]
final class GoTaskExceptionTest extends TestCase
{
    public function testEverythingThatIsThrownIsOneOfTheFamily(): void
    {
        $files = glob(__DIR__ . '/../../../src/Exception/*.php');
        self::assertNotEmpty($files);
        foreach ($files as $file) {
            $name = 'Reasno\GoTask\Exception\\' . basename($file, '.php');
            if (is_a($name, Throwable::class, true) && $name !== RemoteTraceback::class) {
                self::assertTrue(is_a($name, GoTaskException::class, true), $name);
                $class = new ReflectionClass($name);
                self::assertTrue($class->isFinal() || $class->isAbstract() || $class->isInterface(), $name);
            }
        }
    }

    public function testALostConnectionSaysWhetherTheCallWasSent(): void
    {
        $cause = new RuntimeException();
        foreach ([true, false] as $sent) {
            $exception = new ConnectionLost('It broke.', $sent, $cause);
            self::assertSame($sent, $exception->sent);
            self::assertSame('It broke.', $exception->getMessage());
            self::assertSame($cause, $exception->getPrevious());
        }
    }

    /**
     * @param class-string $class
     * @param class-string $parent
     */
    #[TestWith([ConnectFailed::class, TransportFailed::class])]
    #[TestWith([ConnectionLost::class, TransportFailed::class])]
    #[TestWith([ProtocolError::class, TransportFailed::class])]
    #[TestWith([EncodeFailed::class, InvalidArgumentException::class])]
    #[TestWith([InvalidConfiguration::class, InvalidArgumentException::class])]
    #[TestWith([DecodeFailed::class, UnexpectedValueException::class])]
    #[TestWith([CallFailed::class, RuntimeException::class])]
    #[TestWith([TransportFailed::class, RuntimeException::class])]
    public function testKindsOfFailureCanBeCaughtTogether(string $class, string $parent): void
    {
        self::assertTrue(is_subclass_of($class, $parent));
    }

    public function testAFailedStartHasTheErrorOutput(): void
    {
        self::assertSame('SyntaxError', (new WorkerStartFailed('x', 'SyntaxError'))->stderr);
    }

    public function testAPathGrowsFromTheInsideOut(): void
    {
        $failure = (new EncodeFailed('is wrong.'))->within(3)->within("it's")->within('back\slash');

        self::assertSame("\$payload['back\\\\slash']['it\\'s'][3]", $failure->getPath());
        self::assertSame($failure->getPath() . ' is wrong.', $failure->getMessage());
        self::assertSame('$result[1] is wrong.', (new DecodeFailed('is wrong.'))->within(1)->getMessage());
    }

    public function testAPathIsFitForALog(): void
    {
        $failure = (new EncodeFailed('is wrong.'))->within("\xff\n")->within("größe\0");

        self::assertSame("\$payload['größe\\000']['\\377\\n']", $failure->getPath());
    }

    public function testALongPathIsCut(): void
    {
        $failure = new EncodeFailed('is wrong.');
        for ($i = 0; $i < 16; $i++) {
            $failure->within($i);
        }
        self::assertStringEndsWith('[1][0]', $failure->getPath());

        $failure->within(16);
        self::assertSame('$payload[16][15][14][13][12][11][10][9]… is wrong.', $failure->getMessage());
    }
}
