"""A client for programs without an event loop: the asyncio client, in a loop that a thread of this process runs."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Coroutine, Iterable
from types import TracebackType
from typing import Any, TypeVar

from .aio import AsyncClient
from .outcome import Outcome

T = TypeVar("T")

# One loop for all clients of a process. A forked child has none of its parent's threads, so it makes a loop of its own.
_loops: dict[int, asyncio.AbstractEventLoop] = {}


class Client:
    """Calls methods at `address` (`unix:///path`, `tcp://host:port` or `tls://host:port`).

    timeout: seconds for a whole call, unless the call says otherwise. connect_timeout: seconds for opening the connection.
    options: codec, max_payload, key and tls, as for `AsyncClient`.

    Threads, and signal handlers, may share a client: their calls run at the same time over one connection. A child after a
    fork has a connection of its own. A call that has certainly not run, since its connection ended before it was sent or the
    broker that took it is ending, is made again on a new connection.
    """

    def __init__(
        self, address: str, timeout: float = 30.0, connect_timeout: float = 10.0, **options: Any
    ) -> None:
        self._client = AsyncClient(address, timeout, connect_timeout, **options)
        weakref.finalize(self, _forget, self._client).atexit = False

    def call(self, method: str, payload: Any = None, timeout: float | None = None) -> Any:
        """The method's result. Raises a GoTaskError: what the method raised is a RemoteError."""
        return _run(self._client.call(method, payload, timeout))

    def call_many(
        self, calls: Iterable[tuple[str, Any]], timeout: float | None = None, return_errors: bool = False
    ) -> list[Any]:
        """Runs (method, payload) pairs at the same time; their results in the same order.

        The first error is raised once all have ended; with `return_errors` each stands in its place instead.
        `timeout` is for all of them together.
        """
        return _run(self._client.call_many(calls, timeout, return_errors))

    def notify(
        self, method: str, payload: Any = None, timeout: float | None = None, durable: bool = False
    ) -> str | None:
        """Returns once the broker has accepted the call; what comes of it is dropped (logged if it fails).

        durable: returns once Celery's broker has it, for a method with `executor="celery"`: its id, for outcome().
        """
        return _run(self._client.notify(method, payload, timeout, durable))

    def outcome(self, id: str, timeout: float | None = None) -> Outcome:
        """What has become of a durable call, asked from any process."""
        return _run(self._client.outcome(id, timeout))

    def close(self) -> None:
        """Closes the connection; what still waits fails with ConnectionLost. The next call opens another."""
        _run(self._client.close())

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._client).replace("AsyncClient", "Client")


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it. An exception out of a signal handler, such as KeyboardInterrupt, cancels it."""
    future = asyncio.run_coroutine_threadsafe(coroutine, _loop())
    try:
        return future.result()
    finally:
        future.cancel()


def _forget(client: AsyncClient) -> None:
    """Closes the connection of a client that nobody has closed."""
    loop = _loops.get(os.getpid())
    if loop is not None:
        asyncio.run_coroutine_threadsafe(client.close(), loop)


def _loop() -> asyncio.AbstractEventLoop:
    loop = _loops.get(os.getpid())
    if loop is None:
        made = asyncio.new_event_loop()
        loop = _loops.setdefault(
            os.getpid(), made
        )  # another thread, or a signal handler, may have been quicker
        if loop is made:
            threading.Thread(target=loop.run_forever, name="gotask", daemon=True).start()
        else:
            made.close()
    return loop
