"""What runs around each method: `@gotask.middleware`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from typing import Any, TypeVar

from .context import current_call
from .parameters import is_async
from .registry import Method, default_registry

T = TypeVar("T", bound=Callable[..., Any])


def middleware(function: T) -> T:
    """Decorator: runs around each method, `def log(call, next)` around the sync ones and `async def` around the async ones.

    `call` is the current call. `next()` runs the method, or the next middleware, and gives its result. What a middleware
    returns is the call's result, and what it raises is its error. The one that is registered first is the outermost one.
    To be registered while the app is imported.
    """
    default_registry.middlewares.append(function)
    return function


def surrounded(method: Method, middlewares: list[Callable[..., Any]]) -> Method:
    """The method with those of the middlewares around it that are of its kind."""
    # What has an executor is a plain def: where that runs it, the sync ones are around it.
    runs_async = method.is_async and method.settings.executor is None
    around = [function for function in middlewares if is_async(function) == runs_async]
    if not around:
        return method
    outer = copy(method)
    surround = _surround_async if runs_async else _surround
    # Looked up at each call: the first one may put others in their place.
    outer.invoke = surround(around, lambda payload: method.invoke(payload))
    outer.invoke_exact = surround(around, lambda payload: method.invoke_exact(payload))
    return outer


def _surround(around: list[Callable[..., Any]], invoke: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(payload: Any) -> Any:
        call = current_call()

        def step(index: int) -> Any:
            return around[index](call, lambda: step(index + 1)) if index < len(around) else invoke(payload)

        return step(0)

    return run


def _surround_async(
    around: list[Callable[..., Any]], invoke: Callable[[Any], Any]
) -> Callable[[Any], Awaitable[Any]]:
    async def run(payload: Any) -> Any:
        call = current_call()

        async def step(index: int) -> Any:
            if index < len(around):
                return await around[index](call, lambda: step(index + 1))
            result = invoke(payload)
            return await result if hasattr(result, "__await__") else result

        return await step(0)

    return run
