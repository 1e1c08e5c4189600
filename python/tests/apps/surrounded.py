"""Methods with middleware around them, and spans."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import gotask
from gotask.tracing import trace_methods

log: list[str] = []


@gotask.register
def early() -> str:
    return "early"


@gotask.middleware
def outer(call: gotask.CurrentCall, next: Callable[[], Any]) -> Any:
    log.append(f"outer {call.method} {dict(call.headers)}")
    try:
        return next()
    except ZeroDivisionError:
        return "divided"
    finally:
        log.append("outer ends")


@gotask.middleware
def inner(call: gotask.CurrentCall, next: Callable[[], Any]) -> Any:
    result = next()
    return [result] if call.headers.get("wrap") else result


@gotask.middleware
async def around_async(call: gotask.CurrentCall, next: Callable[[], Awaitable[Any]]) -> Any:
    log.append(f"async {call.method}")
    return await next()


trace_methods()


@gotask.service
class App:
    def echo(self, value: int) -> int:
        return value

    def divide(self) -> float:
        return 1 / 0

    def fail(self) -> None:
        raise ValueError("so")

    def numbers(self) -> Iterator[int]:
        yield from (1, 2)

    def take_log(self) -> list[str]:
        taken = log[1:-1]  # without what is around this and the last call of it
        log.clear()
        return taken

    def spans(self) -> Any:
        opentelemetry: Any = sys.modules["opentelemetry"]
        spans = list(opentelemetry.seen)
        opentelemetry.seen.clear()
        return spans

    async def async_echo(self, value: Any) -> Any:
        return value

    async def async_log(self) -> list[str]:
        return log

    async def async_spans(self) -> Any:
        return self.spans()
