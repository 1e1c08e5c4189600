"""The broker: knows what can be called and where each call goes. It forwards payloads without looking into them."""

from __future__ import annotations

import os
import platform
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any

from . import _protocol as wire
from ._codec import decode, encode
from ._config import Config
from ._connection import INLINE, Connection
from ._errors import GoTaskError, MethodNotFound, Overloaded, Unavailable
from ._inline import InlineRunner
from ._log import Log
from ._memory import SegmentPool
from ._pool import WorkerPool
from ._queue import Call
from ._registry import Catalogue
from ._version import VERSION

SYSTEM_METHODS = ("GoTask.Hello", "GoTask.Methods", "GoTask.Ping", "GoTask.Status")

SCRATCH_SIZE = 256 * 1024

# Spellings of method names that are remembered: App.Hi, App.hi … A peer that makes up names must not fill the memory.
MAX_ROUTES = 4096

# Where a method runs: 0 is a worker's sync lane. INLINE is _connection's.
ASYNC = 1


class Broker:
    """Connections on one side, lanes of workers on the other. `on_ready`, `on_start_failed` are told once."""

    def __init__(
        self,
        config: Config,
        log: Log,
        loop: AbstractEventLoop,
        on_ready: Callable[[], None],
        on_start_failed: Callable[[str], None],
    ) -> None:
        self.config = config
        self.log = log
        self.scratch = memoryview(bytearray(SCRATCH_SIZE))
        self.segments = SegmentPool(loop.call_later)
        self.dirty: list[Connection] = []  # with something gathered to be written
        self.ready = False
        self._loop = loop
        self._on_ready = on_ready
        self._on_start_failed = on_start_failed
        self._connections: set[Connection] = set()
        self._catalogue = Catalogue([])
        self.routes: dict[bytes, int] = {}  # by method, in the spellings that were used
        self.inline: InlineRunner | None = None
        self._draining = False
        self._started_at = time.time()
        self.calls = 0
        self.pool = WorkerPool(
            config, log, loop, self.scratch, self.segments, self._workers_ready, on_start_failed, self.flush
        )

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the workers; or, with none, loads the app here."""
        if self.config.workers:
            self.pool.start()
        else:
            self._open_inline(lambda inline: self._serve(inline.describe()))

    def drain(self) -> None:
        """Takes no more calls; those that are here are run and answered."""
        self._draining = True
        self.routes.clear()
        for connection in self._connections:
            connection.go_away()

    @property
    def idle(self) -> bool:
        """Whether every call taken has been answered."""
        inline = self.inline.running if self.inline is not None else 0
        return not inline and not self.pool.queued and not self.pool.running

    async def close(self) -> None:
        """Closes connections after what they still have to write, and the app where it runs in the broker."""
        for connection in tuple(self._connections):
            connection.close()
        if self.inline is not None:
            await self.inline.close()

    # -- connections ------------------------------------------------------------------------------------------------

    def connected(self, connection: Connection) -> None:
        self._connections.add(connection)
        connection.regulate()

    def disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self.pool.discard(connection)

    def flush(self) -> None:
        """Hands on, to the workers and to the callers, what has been gathered since the last time."""
        if self.pool.touched:
            self.pool.pump()
        dirty = self.dirty
        if dirty:
            self.dirty = []
            for connection in dirty:
                connection.flush()

    # -- calls ------------------------------------------------------------------------------------------------------

    def submit(self, call: Call, route: int | None) -> None:
        """Sends the call on its way: that of `routes`, where it is among them. GoTaskError: it can't be."""
        if route is None:
            route = self._route(call.method)
        self.calls += 1
        if self.inline is not None and route & INLINE:
            taken = self.inline.running < self.config.queue_calls
            if taken:
                self.inline.submit(call, route & ASYNC != 0)
        else:
            taken = self.pool.submit(call, route & ASYNC != 0)
        if not taken:
            raise Overloaded(
                f"{self.config.queue_calls} calls or {self.config.queue_bytes} bytes are waiting for a worker already;"
                " this one has not run: try later, or raise --queue-calls, --queue-bytes or --workers"
            )

    def cancelled(self, call: Call) -> None:
        """Nobody waits for this call any more. One that still waits is not started."""
        self.pool.cancel(call)
        if self.inline is not None:
            self.inline.cancel(call)

    def system_call(self, call: Call) -> None:
        """Answers a method of the broker's own."""
        codec = call.frame.flags & wire.CODECS
        try:
            body = memoryview(call.frame.raw)[call.frame.start + len(call.method) :]
            result = encode(codec, self._system(call, decode(codec, body)))
        except GoTaskError as error:
            call.owner.fail(call, error)
            return
        frame = wire.encode(codec, (call.sequence, len(call.method)), call.method + result)
        call.owner.answer(call, frame)
        call.release()

    def _system(self, call: Call, payload: Any) -> Any:
        name = call.method.decode("utf-8", "replace")
        if name == "GoTask.Ping":
            return payload
        if name == "GoTask.Hello":
            call.owner.hello(payload)
            return {
                "protocol": 1,
                "peer": "python",
                "version": VERSION,
                "max_payload": self.config.max_payload,
                "pid": os.getpid(),
            }
        if name == "GoTask.Methods":
            return self._catalogue.descriptions
        if name == "GoTask.Status":
            return self._status()
        raise MethodNotFound(
            f"there is no method {name}; the broker's own are {', '.join(SYSTEM_METHODS)}",
            {"nearest": list(SYSTEM_METHODS)},
        )

    def _status(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "version": VERSION,
            "python": platform.python_version(),
            "loop": type(self._loop).__module__.partition(".")[0],
            "state": "draining" if self._draining else "ready",
            "failure": self.pool.failure,
            "uptime": time.time() - self._started_at,
            "addresses": [str(address) for address in self.config.addresses],
            "connections": len(self._connections),
            "calls": self.calls,
            "queued": self.pool.queued,
            "running": self.pool.running + (self.inline.running if self.inline is not None else 0),
            "workers": [
                {"pid": worker.pid, "state": worker.state, "calls": worker.calls}
                for worker in self.pool.workers
            ],
        }

    def _route(self, method: bytes) -> int:
        if self._draining:
            raise Unavailable("the broker is ending and takes no more calls; this one has not run")
        try:
            name = method.decode()
        except UnicodeDecodeError:
            raise MethodNotFound(f"the method name {method!r} is not UTF-8") from None
        description = self._catalogue.resolve(name)
        if description is None:
            raise self._catalogue.not_found(name)
        route = ASYNC if description["async"] else 0
        if not self.config.workers or description["inline"]:
            route |= INLINE
        if len(self.routes) < MAX_ROUTES:
            self.routes[method] = route
        return route

    # -- start ------------------------------------------------------------------------------------------------------

    def _workers_ready(self, methods: list[dict[str, Any]]) -> None:
        if any(method["inline"] for method in methods):
            self._open_inline(lambda inline: self._serve(methods))
        else:
            self._serve(methods)

    def _open_inline(self, then: Callable[[InlineRunner], None]) -> None:
        self.inline = InlineRunner(self.config, self.log, self._loop, self.flush)
        self.inline.open(then, self._on_start_failed)

    def _serve(self, methods: list[dict[str, Any]]) -> None:
        self._catalogue = Catalogue(methods)
        self.ready = True
        self._on_ready()
        for connection in tuple(self._connections):
            connection.regulate()
