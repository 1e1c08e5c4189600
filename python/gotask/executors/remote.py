"""Runs a call in this process, whichever that is: of a ProcessPoolExecutor, of Dask or Celery on another machine, or the async
worker itself.

Only bytes, text and numbers come here and go back. What the method gets and returns is decoded and encoded here, by what every
worker uses.
"""

from __future__ import annotations

import atexit
import os
import platform
import sys
import threading
import time
from collections.abc import Awaitable
from contextvars import copy_context
from typing import Any, Protocol

from ..app import loader
from ..app.context import Input, Job
from ..app.failures import failure_text
from ..app.fork import end
from ..app.registry import default_registry
from ..app.runner import Runner
from ..app.runner_async import run_async
from ..errors import ConnectionLost, EncodeFailed, GoTaskError, MethodNotFound, Unavailable
from ..wire.codec import encode
from ..wire.frames import ERROR, MSGPACK, STRUCTURED

# Progress: so many messages at once, and then so many a second. Of what comes more often the newest is sent at the end.
BURST = 16
RATE = 50.0

# Spellings of names of methods whose services are open, that are remembered.
MAX_METHODS = 4096


class Line(Protocol):
    """How a call that runs elsewhere reaches the worker that has it. Threads of the method's own use it, too."""

    def begin(self) -> None:
        """The method begins now. GoTaskError: it is not to."""

    def progress(self, body: bytes) -> None:
        """body: `[fraction, text, data]` in MessagePack."""

    def is_cancelled(self) -> bool:
        """Whether nobody waits for the result."""


def run(
    app: str,
    method: str,
    codec: int,
    flags: int,
    body: bytes,
    headers: bytes,
    seconds: float,
    number: int | str,
    max_payload: int,
    line: Line | None = None,
) -> tuple[bool, bytes]:
    """Runs one call of the app's, which is loaded and whose service is opened once in each process.

    app: its file or module, for a process that has loaded none; GOTASK_APP, where it is set, takes its place.
    codec, flags: as in a frame, and `Job.flags`. seconds: that are left; 0.0: without end.
    number: for `current_call().id`; Celery has a text for it.
    Returns whether it is an error, and the encoded result or the error's body, which is JSON. Never raises.
    """
    job = _Job(
        number, time.monotonic() + seconds if seconds else 0.0, flags | STRUCTURED, codec, method, body
    )
    job.headers = headers
    job.line = line
    job.exchange = _Exchange(method, line)
    try:
        app = os.environ.get("GOTASK_APP") or app
        _load(app)
        _open(method)
    except BaseException as error:
        what, node = f"{method} has not run: {app}", platform.node()
        if isinstance(error, MethodNotFound):
            what += f" on {node} has no such method. What runs there has loaded another version of the app: restart it"
        else:
            what += f" can't be loaded on {node}: {_failure or failure_text(error)}"
        return True, Unavailable(what, {"executor": node}).body()  # callers don't take it for the broker's
    if line is not None:
        try:
            line.begin()
        except GoTaskError as error:
            return True, error.body()
    # A context of its own: other calls run in other threads, or in this one before and after it.
    process = os.getpid()
    head, _, _, *parts = copy_context().run(_run, Runner(default_registry, max_payload), job)
    if os.getpid() != process:
        end(0)  # a child that the method forked: its parent answers
    return bool(head[1] & ERROR), b"".join(parts)


def close() -> None:
    """Closes the services of this process. It does so by itself when it ends as Python processes do."""
    for name, closes in default_registry.closing():
        try:
            _finish(closes())
        except Exception:
            import logging

            logging.getLogger("gotask").exception("closing %s failed", name)


class _Job(Job):
    """A call that has come from elsewhere."""

    __slots__ = ("headers", "line")

    headers: bytes  # type: ignore[misc]  # of the class of all others it is an attribute
    line: Line | None

    def __init__(
        self, number: int | str, deadline: float, flags: int, codec: int, method: str, body: bytes
    ) -> None:
        self.line = None
        super().__init__(number, deadline, flags, codec, 1, method.encode(), body)  # type: ignore[arg-type]

    @property
    def cancelled(self) -> bool:
        return self.line is not None and self.line.is_cancelled()

    @cancelled.setter
    def cancelled(self, value: bool) -> None:
        pass  # it is the worker's to say


class _Exchange:
    """What such a call can say to its caller: how far it is."""

    def __init__(self, method: str, line: Line | None) -> None:
        self.input = Input(self.next_items)
        self._method = method
        self._line = line
        self._allowed = float(BURST)
        self._allowed_at = 0.0
        self._kept: bytes | None = None
        self._lock = threading.RLock()

    def progress(self, fraction: float | None, text: str, data: Any) -> None:
        body = encode(MSGPACK, [fraction, text, data], "progress", EncodeFailed)
        with self._lock:
            self._kept = body
            now = time.monotonic()
            self._allowed = min(BURST, self._allowed + (now - self._allowed_at) * RATE)
            self._allowed_at = now
            if self._allowed >= 1.0:
                self._allowed -= 1.0
                self.close()

    def close(self) -> None:
        """Sends the newest progress, unless it has been sent."""
        with self._lock:
            kept, self._kept = self._kept, None
            if kept is not None and self._line is not None:
                self._line.progress(kept)

    def call(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        raise self._lost()

    def next_items(self) -> Any:
        raise self._lost()

    def stream(self, result: object) -> Any:
        raise self._lost()

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(
            f"{self._method} has an executor: it can tell its caller how far it is, and nothing else", False
        )


def _run(runner: Runner, job: Job) -> list[Any]:
    """The reply's parts. Nothing in a plain method suspends, so no loop is needed for this."""
    steps = run_async(runner, job)
    try:
        steps.send(None)
        name = job.method.decode()
        steps.throw(TypeError(f"{name} returned what is to be awaited: where it runs, no loop is"))
    except StopIteration as end:
        reply: list[Any] = end.value
        return reply
    raise AssertionError("run_async() goes on after an error")


# -- the app in this process ------------------------------------------------------------------------------------------

_lock = threading.RLock()
_is_copy = False  # this process was forked from one that has the app
_is_loaded = False
_failure = ""
_open_methods: set[str] = set()


def _forked() -> None:
    """What was opened before (sockets, threads) is not this process's."""
    global _lock, _is_copy, _is_loaded
    _lock, _is_copy, _is_loaded = threading.RLock(), True, False
    _open_methods.clear()
    for service in default_registry.services():
        service.opened = False


os.register_at_fork(after_in_child=_forked)


def _load(app: str) -> None:
    """Unless this process has the app, as the async worker itself has."""
    global _is_loaded, _failure
    with _lock:
        if _failure:
            raise RuntimeError  # run() says it
        if _is_loaded:
            return
        if not loader.hosts_app:
            try:
                loader.load(app)
            except BaseException as error:
                # What it has registered stays, so it can't be loaded again here.
                _failure = failure_text(error)
                raise
            _close_at_end()
        elif _is_copy:
            _close_at_end()
        _is_loaded = True


def _open(name: str) -> None:
    """Opens the service of a method, unless that is done."""
    if name in _open_methods:
        return
    service = default_registry.service_of(default_registry.find(name))
    with _lock:
        if service is not None and not service.opened:
            try:
                _finish(service.open())
            except BaseException:
                service.opened = False
                raise
        if len(_open_methods) < MAX_METHODS:
            _open_methods.add(name)


def _finish(step: Awaitable[Any] | None) -> None:
    """What an open() or close() has returned: an async one runs to its end in a loop of its own."""

    async def wait(step: Awaitable[Any]) -> int:
        await step
        return 0

    if step is not None:
        from ..ipc.loop import run_in_loop

        run_in_loop(wait(step))


def _close_at_end() -> None:
    atexit.register(close)
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, close, exitpriority=100)  # such a process ends without atexit
