"""A client for asyncio: many calls at a time over one connection, opened on demand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from ..errors import (
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    GoTaskError,
    NotAuthorized,
    Unavailable,
)
from ..wire import frames as wire
from ..wire.address import TcpAddress, parse_address
from ..wire.handshake import Key
from ..wire.tls import Tls
from .link import Link, connect, unreachable
from .outcome import Outcome
from .session import RETRIES, Session

# Calls of one `call_many` that are outstanding at a time: encoded payloads take memory, and a broker's queue is bounded.
WINDOW = 128

# Seconds that a connection gets to write what is left, and to end TLS.
_CLOSING = 1.0


class AsyncClient:
    """Calls methods at `address` (`unix:///path`, `tcp://host:port`, `tls://host:port`), as many at a time as one likes.

    timeout: seconds for a whole call, unless the call says otherwise. connect_timeout: seconds for opening the connection.
    max_payload: bytes of the largest reply that is taken. key: the worker's, where it has one; Unix sockets need none. tls: for
    a `tls://` address.

    It belongs to the event loop of its first call until that is closed. Cancelling a task that waits cancels its call. After
    a fork the child opens a connection of its own. A call that has certainly not run, since its connection ended before it was
    sent or the broker that took it is ending, is made again on a new connection.
    """

    def __init__(
        self,
        address: str,
        timeout: float = 30.0,
        connect_timeout: float = 10.0,
        codec: int = wire.MSGPACK,
        max_payload: int = wire.MAX_PAYLOAD,
        key: Key | str | bytes | None = None,
        tls: Tls = Tls(),
    ) -> None:
        self._address = parse_address(address)
        is_network = isinstance(self._address, TcpAddress)
        self._key = (key if isinstance(key, Key) else Key(key)) if key is not None and is_network else None
        self._tls = tls.encryption(self._address)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._codec = codec
        self._max_payload = max_payload
        self._closings = 0  # a call that was made before close() is not made again
        self._begin()

    def _begin(self) -> None:
        """Sets what belongs to one process: no connection, as in a child after a fork."""
        self._pid = os.getpid()
        self._link: Link | None = None
        self._opening: asyncio.Task[Link] | None = None
        self._waiting = 0  # callers, for the connection that is being opened

    async def call(self, method: str, payload: Any = None, timeout: float | None = None) -> Any:
        """The method's result. Raises a GoTaskError: what the method raised is a RemoteError."""
        return await self._call(method, payload, self._deadline(timeout))

    async def call_many(
        self, calls: Iterable[tuple[str, Any]], timeout: float | None = None, return_errors: bool = False
    ) -> list[Any]:
        """Runs (method, payload) pairs at the same time; their results in the same order.

        The first error is raised once all have ended; with `return_errors` each stands in its place instead.
        `timeout` is for all of them together.
        """
        deadline = self._deadline(timeout)
        window = asyncio.Semaphore(WINDOW)

        async def settle(method: str, payload: Any) -> Any:
            async with window:
                return await self._call(method, payload, deadline)

        tasks = [settle(method, payload) for method, payload in calls]
        results: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not (return_errors and isinstance(result, GoTaskError)):
                raise result
        return results

    async def notify(
        self, method: str, payload: Any = None, timeout: float | None = None, durable: bool = False
    ) -> str | None:
        """Returns once the broker has accepted the call; what comes of it is dropped (logged if it fails).

        durable: returns once Celery's broker has it, for a method with `executor="celery"`: its id, for outcome().
        """
        flags = wire.DURABLE if durable else wire.NOTIFY
        answer = await self._call(method, payload, self._deadline(timeout), flags)
        return str(answer) if durable else None

    async def outcome(self, id: str, timeout: float | None = None) -> Outcome:
        """What has become of a durable call, asked from any process."""
        return Outcome(id, await self._call("GoTask.Outcome", id, self._deadline(timeout)))

    async def close(self) -> None:
        """Closes the connection; what still waits fails with ConnectionLost. The next call opens another."""
        self._leave_parent()
        self._closings += 1
        opening, self._opening = self._opening, None
        link, self._link = self._link, None
        if opening is not None:
            opening.cancel()
            await asyncio.wait([opening])
        if link is not None:
            link.transport.close()
            await asyncio.wait([link.closed], timeout=_CLOSING)
            if not link.closed.done():
                link.transport.abort()
                await link.closed

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        outstanding = self._link.session.outstanding if self._link is not None else 0
        return f"<AsyncClient {self._address} outstanding={outstanding}>"

    def _deadline(self, timeout: float | None) -> float:
        seconds = self._timeout if timeout is None else timeout
        return asyncio.get_running_loop().time() + (seconds if seconds > 0 else 0.0)  # not a number: no time

    async def _call(self, method: str, payload: Any, deadline: float, flags: int = 0) -> Any:
        loop = asyncio.get_running_loop()
        closings = self._closings
        refused: Unavailable | None = None
        for attempt in range(RETRIES + 1):
            link = None
            try:
                link = await self._ready(payload, flags, deadline)
                if loop.time() >= deadline:
                    raise DeadlineExceeded("the time was over before the call was sent; it has not run")
                sequence, frame = link.session.call(method, payload, deadline - loop.time(), flags)
                return await link.exchange(sequence, frame, deadline)
            except ConnectionLost as lost:
                if lost.sent or closings != self._closings or attempt == RETRIES or loop.time() >= deadline:
                    raise
            except Unavailable as error:
                if link is None or not link.session.closing or attempt == RETRIES or loop.time() >= deadline:
                    raise
                refused = error
            except ConnectFailed:
                # Why the call was refused before says more than that nobody listens now.
                if refused is not None:
                    raise refused from None
                raise
        raise AssertionError("the last attempt returns or raises")

    async def _ready(self, payload: Any, flags: int, deadline: float) -> Link:
        """A connection that the call can be sent on."""
        self._leave_parent()
        link = self._link
        if link is None or not link.usable:
            link = await self._open(deadline)
        if link.session.needs_greeting(payload, flags):
            await link.greet(min(deadline, asyncio.get_running_loop().time() + self._connect_timeout))
        await link.writable(deadline)
        return link

    async def _open(self, deadline: float) -> Link:
        """Opens the connection. All callers wait for the same one, each as long as it has time."""
        loop = asyncio.get_running_loop()
        opening = self._opening
        if opening is None:
            opening = self._opening = loop.create_task(self._connect())
            opening.add_done_callback(self._opened)
        self._waiting += 1
        try:
            await asyncio.wait([opening], timeout=max(deadline - loop.time(), 0.0))
        finally:
            self._waiting -= 1
            if not self._waiting and not opening.done():
                opening.cancel()
                self._opening = None
        if not opening.done():
            raise unreachable(self._address, "no answer in time")
        if opening.cancelled():
            raise ConnectionLost("the client was closed while its connection was opened", sent=False)
        return opening.result()

    def _opened(self, opening: asyncio.Task[Link]) -> None:
        if self._opening is opening:
            self._opening = None
        if not opening.cancelled():
            opening.exception()  # else asyncio reports that nobody has taken its exception

    async def _connect(self) -> Link:
        limit = asyncio.get_running_loop().time() + self._connect_timeout
        session = Session(self._codec, self._max_payload, self._key)
        link = await connect(self._address, self._tls, session, limit)
        if self._opening is not asyncio.current_task():
            # It was given up just now: wait_for() before Python 3.12 passes that on no more once the connection is made.
            link.transport.abort()
            raise asyncio.CancelledError
        if isinstance(self._address, TcpAddress):
            try:
                await link.greet(limit)
            except BaseException as error:
                link.transport.abort()
                if isinstance(error, NotAuthorized):
                    raise NotAuthorized(f"cannot connect to {self._address}: {error.message}") from None
                raise
        self._link = link
        return link

    def _leave_parent(self) -> None:
        """Lets go of the parent process's connection after a fork, and of one in a closed loop."""
        link, opening = self._link, self._opening
        loop = link.loop if link is not None else opening.get_loop() if opening is not None else None
        if self._pid == os.getpid() and (loop is None or not loop.is_closed()):
            if loop is not None and loop is not asyncio.get_running_loop():
                raise RuntimeError(
                    "an AsyncClient belongs to the event loop of its first call: make one for each loop"
                )
            return
        if link is not None:
            link.abandon()
        self._begin()
