<?php

declare(strict_types=1);

namespace Reasno\GoTask\Observing;

use Closure;
use OpenTelemetry\API\Globals;
use OpenTelemetry\API\Trace\Span;
use OpenTelemetry\API\Trace\SpanKind;
use OpenTelemetry\API\Trace\StatusCode;
use OpenTelemetry\Context\Context;
use Reasno\GoTask\Exception\InvalidConfiguration;
use Reasno\GoTask\Observer;
use Throwable;

/**
 * Makes a client span of each call that is made within a span that records, and sends its context: `traceparent` and `baggage`, or what
 * the application's propagator has. Needs open-telemetry/api.
 *
 *     new Client('unix:///run/app/gotask.sock', observers: [new OpenTelemetry()])
 */
final class OpenTelemetry implements Observer
{
    /**
     * @throws InvalidConfiguration open-telemetry/api is not installed
     */
    public function __construct()
    {
        if (! class_exists(Span::class)) {
            throw new InvalidConfiguration('The observer OpenTelemetry needs a package that is not installed: composer require open-telemetry/api');
        }
    }

    public function begin(string $method, array &$headers): ?Closure
    {
        if (! Span::getCurrent()->isRecording()) {
            return null;
        }
        /** @var non-empty-string $method */
        $span = Globals::tracerProvider()->getTracer('reasno/gotask')->spanBuilder($method)
            ->setSpanKind(SpanKind::KIND_CLIENT)
            ->setAttribute('rpc.system', 'gotask')
            ->setAttribute('rpc.method', $method)
            ->startSpan();
        $carrier = $headers;
        Globals::propagator()->inject($carrier, null, $span->storeInContext(Context::getCurrent()));
        /** @var array<array-key, string> $carrier */
        $headers = $carrier;

        return static function (?Throwable $error) use ($span): void {
            if ($error !== null) {
                $span->recordException($error);
                $span->setStatus(StatusCode::STATUS_ERROR, $error->getMessage());
            }
            $span->end();
        };
    }
}
