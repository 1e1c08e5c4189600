"""Spans of OpenTelemetry around methods. Needs `opentelemetry-api`.

from gotask.tracing import trace_methods

trace_methods()
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .app.context import CurrentCall
from .app.middleware import middleware


def trace_methods() -> None:
    """From now on each call has a server span. Its parent is the caller's span, where that came with the call's headers:
    `traceparent` and `baggage`, or what the propagator has that is set up. To be called while the app is imported.

    ImportError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import context, propagate, trace  # type: ignore
    except ImportError as error:
        raise ImportError("trace_methods() needs OpenTelemetry: pip install opentelemetry-api") from error

    tracer = trace.get_tracer("gotask")

    @contextmanager
    def span(call: CurrentCall) -> Iterator[None]:
        token = context.attach(propagate.extract(call.headers))
        try:
            attributes = {"rpc.system": "gotask", "rpc.method": call.method}
            with tracer.start_as_current_span(call.method, kind=trace.SpanKind.SERVER, attributes=attributes):
                yield
        finally:
            context.detach(token)

    @middleware
    def trace_sync(call: CurrentCall, next: Callable[[], Any]) -> Any:
        with span(call):
            return next()

    @middleware
    async def trace_async(call: CurrentCall, next: Callable[[], Awaitable[Any]]) -> Any:
        with span(call):
            return await next()
