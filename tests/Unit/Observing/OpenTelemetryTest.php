<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Observing;

use OpenTelemetry\API\Instrumentation\Configurator;
use OpenTelemetry\API\Trace\Propagation\TraceContextPropagator;
use OpenTelemetry\API\Trace\Span;
use OpenTelemetry\API\Trace\SpanBuilderInterface;
use OpenTelemetry\API\Trace\SpanContext;
use OpenTelemetry\API\Trace\SpanKind;
use OpenTelemetry\API\Trace\StatusCode;
use OpenTelemetry\API\Trace\TracerInterface;
use OpenTelemetry\API\Trace\TracerProviderInterface;
use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Observing\OpenTelemetry;
use RuntimeException;

use function class_exists;
use function dirname;
use function str_repeat;

/**
 * @internal
 */
#[CoversClass(OpenTelemetry::class)]
final class OpenTelemetryTest extends TestCase
{
    protected function setUp(): void
    {
        if (! class_exists(Configurator::class)) {
            self::markTestSkipped('open-telemetry/api is not installed.');
        }
    }

    public function testWhatIsNotInstalledIsNamed(): void
    {
        $code = <<<'PHP'
            spl_autoload_register(static fn (string $class) => str_starts_with($class, 'Reasno\GoTask')
                && require $argv[1] . strtr(substr($class, 13), '\\', '/') . '.php');
            try {
                new Reasno\GoTask\Observing\OpenTelemetry();
            } catch (Reasno\GoTask\Exception\InvalidConfiguration $error) {
                echo $error->getMessage();
            }
            PHP;
        exec(implode(' ', array_map(escapeshellarg(...), [PHP_BINARY, '-r', $code, dirname(__DIR__, 3) . '/src'])) . ' 2>&1', $lines);
        self::assertStringContainsString('composer require open-telemetry/api', implode("\n", $lines));
    }

    public function testWithoutASpanThatRecordsNothingIsDoneAndNothingSent(): void
    {
        $headers = ['own' => 'o'];
        self::assertNull((new OpenTelemetry())->begin('App.Hi', $headers));
        self::assertSame(['own' => 'o'], $headers);
    }

    public function testACallWithinASpanHasASpanOfItsOwnWhoseContextIsSent(): void
    {
        $span = new RecordingSpan(SpanContext::create(str_repeat('ab', 16), str_repeat('cd', 8), 1));
        $builder = $this->createMock(SpanBuilderInterface::class);
        $builder->expects(self::exactly(2))->method('setSpanKind')->with(SpanKind::KIND_CLIENT)->willReturnSelf();
        $builder->method('setAttribute')->willReturnSelf();
        $builder->method('startSpan')->willReturn($span);
        $tracer = self::createStub(TracerInterface::class);
        $tracer->method('spanBuilder')->willReturn($builder);
        $provider = self::createStub(TracerProviderInterface::class);
        $provider->method('getTracer')->willReturn($tracer);
        $globals = Configurator::create()->withTracerProvider($provider)->withPropagator(TraceContextPropagator::getInstance())->activate();
        $parent = (new RecordingSpan(Span::getInvalid()->getContext()))->activate();

        try {
            $headers = ['own' => 'o'];
            $end = (new OpenTelemetry())->begin('App.Hi', $headers);
            self::assertSame(['own' => 'o', 'traceparent' => '00-' . str_repeat('ab', 16) . '-' . str_repeat('cd', 8) . '-01'], $headers);
            self::assertSame([], $span->seen);
            self::assertNotNull($end);
            $end(null);
            self::assertSame(['end'], $span->seen);

            $end = (new OpenTelemetry())->begin('App.Hi', $headers);
            self::assertNotNull($end);
            $end(new RuntimeException('so'));
            self::assertSame(['end', 'exception so', 'status ' . StatusCode::STATUS_ERROR, 'end'], $span->seen);
        } finally {
            $parent->detach();
            $globals->detach();
        }
    }
}
