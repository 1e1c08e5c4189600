"""Tests of an app without a broker: calls go through names, conversion and codec as in a worker, in the test's own process.

    from gotask.testing import TestWorker

    def test_hi():
        with TestWorker("app.py") as worker:
            assert worker.call("App.Hi", "Jo") == {"hello": "Jo"}

For pytest there is a fixture, see `gotask.pytest_plugin`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from .app import registry as registries
from .app.context import Input, Job
from .app.loader import load
from .app.registry import Registry
from .app.runner import Runner
from .app.runner_async import run_async
from .client.session import Args
from .errors import (
    DecodeFailed,
    EncodeFailed,
    PhpError,
    UnsendableElement,
    class_name,
    from_body,
)
from .wire import frames as wire
from .wire import json
from .wire.codec import decode, encode
from .wire.names import is_file
from .worker.exchange import elements
from .worker.jobs import HeadedJob

__all__ = ["Args", "TestWorker"]

OnProgress = Callable[[float | None, str, Any], object]

# Apps are imported once in a process, as Python's modules are.
_loaded: dict[str, Registry] = {}
_numbers = itertools.count(1)


class TestWorker:
    """Runs the methods of an app, sync and async ones, in this process.

    app: a file or module that registers services, a relative path counts from the working directory; or objects, classes and
    functions, as `gotask.register` takes them.
    Services are opened when the worker is entered, and closed when it is left. `php` has the services of a PHP program that
    methods call back, by their names: `worker.php["Config.get"] = lambda name: "test"`.
    """

    __test__ = False  # pytest is not to take it for a class of tests

    def __init__(self, *app: Any, php: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self.php = dict(php or {})
        if len(app) == 1 and isinstance(app[0], (str, os.PathLike)):
            self._registry = _load(os.fspath(app[0]))
        else:
            self._registry = Registry()
            for target in app:
                self._registry.register(target)
        self._runner = Runner(self._registry, wire.MAX_PAYLOAD)
        self._loop: asyncio.AbstractEventLoop | None = None

    def call(
        self,
        method: str,
        payload: Any = None,
        timeout: float | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        input: Iterable[Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Any:
        """The method's result, as a caller in PHP gets it. `Args(…)` as payload passes exactly these arguments.

        timeout: seconds, for `current_call().remaining()`; nothing ends the method when they are over. headers, input: what
        `current_call()` has of them. on_progress: is told what the method says, all of it.

        Raises what a caller gets: InvalidArguments, RemoteError for what the method raises, InvalidResult …
        """
        return self._call(method, payload, timeout, headers, input, on_progress, None)

    def stream(
        self,
        method: str,
        payload: Any = None,
        timeout: float | None = None,
        *,
        most: int | None = None,
        headers: Mapping[str, str] | None = None,
        input: Iterable[Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Any]:
        """The elements that a method yields, and then what it raises. It runs to its end before the first one is here.

        most: the reader leaves after so many, and the generator is closed. The rest is as for call().
        """
        items: list[Any] = []
        failure: Exception | None = None
        try:
            self._call(method, payload, timeout, headers, input, on_progress, _Reader(method, items, most))
        except Exception as error:
            failure = error
        yield from items
        if failure is not None:
            raise failure

    def __enter__(self) -> TestWorker:
        self._loop = asyncio.new_event_loop()
        for service in self._registry.services():
            self._wait(service.open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = self._open_loop()
        try:
            for _, closes in self._registry.closing():
                self._wait(closes())
        finally:
            self._loop = None
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _call(
        self,
        name: str,
        payload: Any,
        timeout: float | None,
        headers: Mapping[str, str] | None,
        input: Iterable[Any] | None,
        on_progress: OnProgress | None,
        reader: _Reader | None,
    ) -> Any:
        loop = self._open_loop()
        flags = wire.STRUCTURED
        if isinstance(payload, Args):
            flags |= wire.EXACT
            payload = [payload.positional, payload.named]
        exchanges = (
            (wire.WANTS_ITEMS if reader else 0)
            | (wire.HAS_INPUT if input is not None else 0)
            | (wire.WANTS_PROGRESS if on_progress else 0)
        )
        body = b"" if payload is None else encode(wire.MSGPACK, payload, "payload", EncodeFailed)
        deadline = 0.0 if timeout is None else time.monotonic() + timeout
        flags |= exchanges << wire.SPECIAL_SHIFT
        job = HeadedJob(next(_numbers), deadline, flags, wire.MSGPACK, 1, name.encode(), body)
        job.headers = json.encode(dict(headers)).encode() if headers else b""
        found = self._registry.find(name)
        is_async = found.is_async and found.settings.executor is None
        exchange = _Exchange(self.php, job, iter(() if input is None else input), on_progress, reader)
        job.exchange = _AsyncExchange(exchange) if is_async else exchange
        if is_async:
            reply = loop.run_until_complete(run_async(self._runner, job))
        else:
            reply = self._runner.run(job)
        (frame,) = wire.Decoder(wire.MAX_PAYLOAD).feed(b"".join(reply))
        assert isinstance(frame, wire.Frame)
        result = frame.payload[frame.options[1] :]
        if frame.flags & wire.ERROR:
            raise from_body(bytes(result))
        return decode(wire.MSGPACK, result, DecodeFailed)

    def _open_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the services are not open: use it as `with TestWorker(…) as worker:`")
        return self._loop

    def _wait(self, step: Any) -> None:
        """Runs what a service's open() or close() has returned."""
        if step is not None:
            self._open_loop().run_until_complete(_awaited(step))


class _Reader:
    """Who asked for the elements of a stream."""

    def __init__(self, name: str, items: list[Any], most: int | None) -> None:
        self._name = name
        self._items = items
        self._most = most

    def take(self, item: Any) -> bool:
        """False: it wants no more."""
        self._items.append(
            _as_sent(item, f"{self._name} yielded what can't be sent: element", UnsendableElement)
        )
        return len(self._items) != self._most


class _Exchange:
    """The messages of a call, whose caller is the test."""

    def __init__(
        self,
        php: Mapping[str, Callable[..., Any]],
        job: Job,
        sent: Iterator[Any],
        on_progress: OnProgress | None,
        reader: _Reader | None,
    ) -> None:
        self.input = Input(self.next_items)
        self.reader = reader
        self._php = php
        self._job = job
        self._sent = sent
        self._on_progress = on_progress

    def stream(self, result: Any) -> Any:
        each = elements(self._job, result)
        assert self.reader is not None
        while True:
            try:
                item = next(each)
            except StopIteration as end:
                return end.value
            if not self.reader.take(item):
                getattr(each, "close", lambda: None)()
                return None

    def next_items(self) -> list[Any] | None:
        for item in self._sent:
            return [_as_sent(item, "input", EncodeFailed)]
        return None

    def call(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        function = self._php.get(name)
        if function is None:
            raise PhpError(f"there is no service {name}: give it as TestWorker(…, php={{{name!r}: …}})")
        args, named = _as_sent([args, named], "arguments", EncodeFailed)
        try:
            return _as_sent(function(*args, **named), "result", EncodeFailed)
        except Exception as error:
            raise PhpError(
                f"{name} threw {class_name(type(error))}: {error}", None, class_name(type(error))
            ) from error

    def progress(self, fraction: float | None, text: str, data: Any) -> None:
        if self._on_progress is not None:
            self._on_progress(*_as_sent([fraction, text, data], "progress", EncodeFailed))

    def close(self) -> None:
        pass


class _AsyncExchange:
    """The same for an async method, which awaits."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self.input = Input(self.next_items)
        self.progress = exchange.progress
        self.close = exchange.close

    async def stream(self, result: Any) -> Any:
        if not hasattr(result, "__aiter__"):
            return self._exchange.stream(result)
        reader = self._exchange.reader
        assert reader is not None
        async for item in result:
            if not reader.take(item):
                await getattr(result, "aclose", _nothing)()
                break
        return None

    async def next_items(self) -> list[Any] | None:
        return self._exchange.next_items()

    async def call(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return self._exchange.call(name, args, named)


def _as_sent(value: Any, what: str, error: type[Any]) -> Any:
    return decode(wire.MSGPACK, encode(wire.MSGPACK, value, what, error))


async def _nothing() -> None:
    pass


async def _awaited(step: Any) -> Any:
    return await step


def _load(app: str) -> Registry:
    """What an app registers. `gotask.register` is for the registry of the process, so another one takes its place meanwhile."""
    key = os.path.abspath(app) if is_file(app) else app
    if key not in _loaded:
        before, registries.default_registry = registries.default_registry, Registry()
        try:
            load(app)
            # An app that a test has imported by itself has registered its services by then.
            _loaded[key] = registries.default_registry if registries.default_registry.describe() else before
        finally:
            registries.default_registry = before
    return _loaded[key]
