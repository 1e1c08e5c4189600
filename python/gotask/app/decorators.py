"""`@gotask.service` and `@gotask.method`, with and without arguments."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar, overload

from .registry import SETTINGS, Settings, register

T = TypeVar("T")

# The engines that have a name, each with the package that it needs and what installs that.
ENGINES = {"dask": ("distributed", "dask[distributed]"), "celery": ("celery", "celery")}


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
    executor: Any = None,
) -> Callable[[T], T]:
    ...


def method(  # noqa: F811
    function: Any = None,
    /,
    *,
    timeout: float | None = None,
    idempotent: bool = False,
    convert: bool = True,
    executor: Any = None,
) -> Any:
    """Settings of one method.

    timeout: seconds, above 0 and at most 86400, that a call may take from when the broker has it, whatever its caller allows.
    idempotent: running it twice does no more than running it once, so a call that was lost with its worker, or with the
    connection, is made again.
    convert: arguments are checked, and become what their annotations say. False: they stay as they are sent.
    executor: what runs the method, a plain def, in place of a worker: "dask", "celery", a `concurrent.futures.Executor`, or
    what makes such a one without arguments when the first call comes. docs/beyond-one-machine.md tells what each is good for.
    ValueError: the timeout is out of its bounds, or there is no such executor. ModuleNotFoundError: its package is missing.
    """
    if timeout is not None and not 0 < timeout <= 86_400:
        raise ValueError(f"a method's timeout is above 0 and at most 86400 seconds, not {timeout!r}")
    if executor is not None:
        _check_executor(executor)
    made = Settings(timeout or 0.0, idempotent, convert, executor)

    def mark(function: T) -> T:
        setattr(function, SETTINGS, made)
        return function

    return mark if function is None else mark(function)


def _check_executor(executor: Any) -> None:
    """Before the first call, which would be late to say it."""
    if executor in ENGINES if type(executor) is str else callable(getattr(executor, "submit", executor)):
        if type(executor) is str:
            _check_package(executor, *ENGINES[executor])
        return
    raise ValueError(
        f"there is no executor {executor!r}: give {', '.join(map(repr, ENGINES))}, a concurrent.futures.Executor,"
        " or a function that makes one"
    )


def _check_package(name: str, package: str, install: str) -> None:
    from importlib.util import find_spec

    if package not in sys.modules and find_spec(package) is None:  # celery has no spec once it is imported
        raise ModuleNotFoundError(
            f"executor={name!r} needs the package {package}, which {sys.executable} does not have: pip install {install!r}"
        )
