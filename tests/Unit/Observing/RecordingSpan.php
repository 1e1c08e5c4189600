<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Observing;

use OpenTelemetry\API\Trace\Span;
use OpenTelemetry\API\Trace\SpanContextInterface;
use OpenTelemetry\API\Trace\SpanInterface;
use Throwable;

/**
 * A span that records what is done with it.
 */
final class RecordingSpan extends Span
{
    /** @var list<string> */
    public array $seen = [];

    public function __construct(private readonly SpanContextInterface $context)
    {
    }

    public function getContext(): SpanContextInterface
    {
        return $this->context;
    }

    public function isRecording(): bool
    {
        return true;
    }

    /**
     * @param null|array<mixed>|bool|float|int|string $value
     */
    public function setAttribute(string $key, mixed $value): SpanInterface
    {
        return $this;
    }

    /**
     * @param iterable<mixed> $attributes
     */
    public function setAttributes(iterable $attributes): SpanInterface
    {
        return $this;
    }

    /**
     * @param iterable<mixed> $attributes
     */
    public function addLink(SpanContextInterface $context, iterable $attributes = []): SpanInterface
    {
        return $this;
    }

    /**
     * @param iterable<mixed> $attributes
     */
    public function addEvent(string $name, iterable $attributes = [], ?int $timestamp = null): SpanInterface
    {
        return $this;
    }

    /**
     * @param iterable<mixed> $attributes
     */
    public function recordException(Throwable $exception, iterable $attributes = []): SpanInterface
    {
        $this->seen[] = "exception {$exception->getMessage()}";

        return $this;
    }

    public function updateName(string $name): SpanInterface
    {
        return $this;
    }

    public function setStatus(string $code, ?string $description = null): SpanInterface
    {
        $this->seen[] = "status {$code}";

        return $this;
    }

    public function end(?int $endEpochNanos = null): void
    {
        $this->seen[] = 'end';
    }
}
