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
    inline: bool = False,
) -> Callable[[T], T]:
    ...


def method(function: Any = None, /, *, inline: bool = False) -> Any:  # noqa: F811
    """Settings of one method.

    inline: it runs in the broker itself; only for quick ones, as it holds up everything else meanwhile.
    """
    made = Settings(inline)

    def mark(function: T) -> T:
        setattr(function, SETTINGS, made)
        return function

    return mark if function is None else mark(function)
