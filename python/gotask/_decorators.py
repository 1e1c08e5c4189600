"""`@gotask.service` and `@gotask.method`, with and without arguments."""

from __future__ import annotations

from ._registry import SETTINGS, Settings, default_registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    T = TypeVar("T")
else:  # typing is not worth its 10 ms in a starting worker

    def overload(function):
        return function


@overload
def service(target: type[T], /) -> type[T]:
    ...


@overload
def service(*, name: str | None = None) -> Callable[[type[T]], type[T]]:  # noqa: F811
    ...


def service(target: Any = None, /, *, name: str | None = None) -> Any:  # noqa: F811
    """Class decorator: `@gotask.service` or `@gotask.service(name="Pictures")`."""
    if target is None:
        return lambda cls: default_registry.register(cls, name)
    return default_registry.register(target, name)


@overload
def method(function: T, /) -> T:
    ...


@overload
def method(  # noqa: F811
    *,
    timeout: float | None = None,
    idempotent: bool = False,
    inline: bool = False,
    concurrency: int | None = None,
) -> Callable[[T], T]:
    ...


def method(function: Any = None, /, **settings: Any) -> Any:  # noqa: F811
    """Settings of one method.

    timeout: seconds, above 0, that a call may take at most.
    idempotent: it may run again where it is not known whether it has run.
    inline: it runs in the broker itself; only for quick ones, as it holds up everything else meanwhile.
    concurrency: how many calls of it one worker runs at a time, 1 or more.
    """
    made = Settings(**settings)
    if made.timeout is not None and not made.timeout > 0:
        raise ValueError(f"timeout={made.timeout!r}: it must be above 0 seconds")
    if made.concurrency is not None and made.concurrency < 1:
        raise ValueError(f"concurrency={made.concurrency!r}: it must be 1 or more")

    def mark(function: T) -> T:
        setattr(function, SETTINGS, made)
        return function

    return mark if function is None else mark(function)
