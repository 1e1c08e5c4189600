"""`@gotask.service` and `@gotask.method`, with and without arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from .registry import SETTINGS, Settings, register

T = TypeVar("T")


@overload
def service(target: type[T], /) -> type[T]:
    ...


@overload
def service(  # noqa: F811
    *,
    name: str | None = None,
    workers: int | None = None,
    queue_calls: int | None = None,
    queue_bytes: int | None = None,
) -> Callable[[type[T]], type[T]]:
    ...


def service(  # noqa: F811
    target: Any = None,
    /,
    *,
    name: str | None = None,
    workers: int | None = None,
    queue_calls: int | None = None,
    queue_bytes: int | None = None,
) -> Any:
    """Class decorator: `@gotask.service` or `@gotask.service(name="Pictures", workers=2)`; see `gotask.register`."""
    if target is None:
        return lambda cls: register(
            cls, name, workers=workers, queue_calls=queue_calls, queue_bytes=queue_bytes
        )
    return register(target, name, workers=workers, queue_calls=queue_calls, queue_bytes=queue_bytes)


@overload
def method(function: T, /) -> T:
    ...


@overload
def method(  # noqa: F811
    *,
    timeout: float | None = None,
    idempotent: bool = False,
    convert: bool = True,
) -> Callable[[T], T]:
    ...


def method(  # noqa: F811
    function: Any = None,
    /,
    *,
    timeout: float | None = None,
    idempotent: bool = False,
    convert: bool = True,
) -> Any:
    """Settings of one method.

    timeout: seconds, above 0 and at most 86400, that a call may take from when the broker has it, whatever its caller allows.
    idempotent: running it twice does no more than running it once, so a call that was lost with its worker, or with the
    connection, is made again.
    convert: arguments are checked, and become what their annotations say. False: they stay as they are sent.
    ValueError: the timeout is out of its bounds.
    """
    if timeout is not None and not 0 < timeout <= 86_400:
        raise ValueError(f"a method's timeout is above 0 and at most 86400 seconds, not {timeout!r}")
    made = Settings(timeout or 0.0, idempotent, convert)

    def mark(function: T) -> T:
        setattr(function, SETTINGS, made)
        return function

    return mark if function is None else mark(function)
