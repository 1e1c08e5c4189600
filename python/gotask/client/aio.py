"""A client for asyncio: many calls at a time over one connection, opened on demand."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Iterable
from types import TracebackType
from typing import Any, cast

from ..errors import ConnectFailed, ConnectionLost, DeadlineExceeded, GoTaskError, Unavailable
from ..wire.address import Address, TcpAddress, check_owner
from ..wire.tls import Encryption
from .base import CHUNK, BaseClient, results, unreachable
from .session import RETRIES, Outcome, Session

# Seconds that a connection gets to end in order: what it has still to write, and TLS's last words.
_CLOSING = 1.0


class AsyncClient(BaseClient):
    """Calls methods at `address` (`unix:///path`, `tcp://host:port`, `tls://host:port`), as many at a time as one likes.

    timeout: seconds for a whole call, unless the call says otherwise. connect_timeout: seconds for opening the connection.
    max_payload: bytes of the largest reply that is taken. key: the worker's, where it has one; Unix sockets need none. tls: for
    a `tls://` address.

    It belongs to the event loop of its first call until that is closed. Cancelling a task that waits cancels its call. After
    a fork the child opens a connection of its own. A call that has certainly not run, since its connection ended before it was
    sent or the broker that took it is ending, is made again on a new connection.
    """

    _closings = 0  # calls that were made before one are not made again

    def _begin(self) -> None:
        super()._begin()
        self._link: _Link | None = None
        self._opening: asyncio.Task[_Link] | None = None
        self._waiting = 0  # callers, for the connection that is being opened

    async def call(self, method: str, payload: Any = None, timeout: float | None = None) -> Any:
        """The method's result. Raises a GoTaskError: what the method raised is a RemoteError."""
        return await self._call(method, payload, timeout, False)

    async def call_many(
        self, calls: Iterable[tuple[str, Any]], timeout: float | None = None, return_errors: bool = False
    ) -> list[Any]:
        """Runs (method, payload) pairs at the same time; their results in the same order.

        The first error is raised once all have ended; with `return_errors` each stands in its place instead.
        """
        tasks = [self._settle(method, payload, timeout) for method, payload in calls]
        return results(await asyncio.gather(*tasks), return_errors)

    async def notify(self, method: str, payload: Any = None, timeout: float | None = None) -> None:
        """Returns once the broker has accepted the call; what comes of it is dropped (logged if it fails)."""
        await self._call(method, payload, timeout, True)

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

    async def _settle(self, method: str, payload: Any, timeout: float | None) -> Outcome:
        try:
            return Outcome(0, await self.call(method, payload, timeout))
        except GoTaskError as error:
            return Outcome(0, error=error)

    async def _call(self, method: str, payload: Any, timeout: float | None, notify: bool) -> Any:
        loop = asyncio.get_running_loop()
        seconds = self._timeout if timeout is None else timeout
        deadline = loop.time() + (seconds if seconds > 0 else 0.0)  # not a number counts as no time
        closings = self._closings
        refused: Unavailable | None = None
        for attempt in range(RETRIES + 1):
            link = None
            try:
                link = await self._ready(payload, notify, deadline)
                if loop.time() >= deadline:
                    raise DeadlineExceeded("the time was over before the call was sent; it has not run")
                sequence, frame = link.session.call(method, payload, deadline - loop.time(), notify)
                return await link.exchange(sequence, frame, deadline)
            except ConnectionLost as lost:
                if lost.sent or closings != self._closings:
                    raise
                if attempt == RETRIES or loop.time() >= deadline:
                    raise
            except Unavailable as error:
                if link is None or not link.session.closing or attempt == RETRIES or loop.time() >= deadline:
                    raise
                refused = error
            except ConnectFailed:
                # What refused the call says more than that there is nothing now.
                if refused is not None:
                    raise refused from None
                raise
        raise AssertionError("the last attempt returns or raises")

    async def _ready(self, payload: Any, notify: bool, deadline: float) -> _Link:
        """A connection that takes the call now."""
        self._leave_parent()
        link = self._link
        if link is None or not link.usable:
            link = await self._open(deadline)
        if link.session.needs_greeting(payload, notify):
            await link.greet(min(deadline, asyncio.get_running_loop().time() + self._connect_timeout))
        await link.writable(deadline)
        return link

    async def _open(self, deadline: float) -> _Link:
        """The connection that all callers wait for, each as long as it has time."""
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

    def _opened(self, opening: asyncio.Task[_Link]) -> None:
        if self._opening is opening:
            self._opening = None
        if not opening.cancelled():
            opening.exception()  # else asyncio reports one that nobody has waited for

    async def _connect(self) -> _Link:
        limit = asyncio.get_running_loop().time() + self._connect_timeout
        link = await _connect(self._address, self._tls, self._session(), limit)
        if isinstance(self._address, TcpAddress):
            try:
                await link.greet(limit)
            except BaseException:
                link.transport.abort()
                raise
        self._link = link
        return link

    def _leave_parent(self) -> None:
        """Lets go of a connection of the process that this one was forked from, or of a loop that is closed."""
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


class _Link(asyncio.BufferedProtocol):
    """A connection and its session."""

    transport: asyncio.Transport

    def __init__(self, session: Session, greet_until: float) -> None:
        self.session = session
        self.loop = asyncio.get_running_loop()
        self._greeting = session.greeting  # goes out together with the first call
        self._greet_until = greet_until
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._buffer = memoryview(bytearray(CHUNK))
        self._into_large = False
        self._greeted: asyncio.Future[None] = self.loop.create_future()
        self._writable: asyncio.Future[None] | None = None
        self._hangup = select.poll()
        self._end = ""  # why there is no connection any more
        self.closed: asyncio.Future[None] = self.loop.create_future()

    @property
    def usable(self) -> bool:
        """Whether the peer takes calls, as far as can be known; the loop may not have looked since it closed."""
        return not self.session.closing and not self.transport.is_closing() and not self._hangup.poll(0)

    def abandon(self) -> None:
        """Closes this process's descriptor of the connection, and sends nothing; the loop is not to be touched.

        Something harmless takes the descriptor's number, which the transport still holds and will close.
        """
        descriptor = self.transport.get_extra_info("socket").fileno()
        if descriptor >= 0:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, descriptor, inheritable=False)
            os.close(null)

    async def greet(self, deadline: float) -> None:
        """Waits until it is known whom we talk to."""
        self._send(self._greeting)
        self._greeting = b""
        limit = max(deadline - self.loop.time(), 0.0)
        await asyncio.wait([self._greeted, self.closed], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if self.session.refusal is not None:
            raise self.session.refusal
        if not self._greeted.done():
            if self.closed.done():
                raise ConnectionLost(f"{self._end}, instead of a greeting", sent=False)
            # Before that, or with calls under way, others may still wait for it.
            if self.loop.time() >= self._greet_until and not self._futures:
                self.transport.abort()
                await self.closed
            raise ConnectFailed("the peer did not answer the greeting in time: is it starting, or stuck?")

    async def writable(self, deadline: float) -> None:
        """Waits while the peer reads slower than we write."""
        while self._writable is not None:
            await asyncio.wait([self._writable], timeout=max(deadline - self.loop.time(), 0.0))
            if self.loop.time() >= deadline:
                raise DeadlineExceeded("the peer did not read the call in time; it has not run")

    async def exchange(self, sequence: int, frame: bytes, deadline: float) -> Any:
        """Sends a call and waits for its answer."""
        future: asyncio.Future[Any] = self.loop.create_future()
        self._futures[sequence] = future
        timer = self.loop.call_at(deadline, self._expire, sequence)
        try:
            if not self._send(self._greeting + frame):
                raise ConnectionLost("the connection was closed before the call was sent", sent=False)
            self._greeting = b""
            return await future
        finally:
            timer.cancel()
            if self._futures.pop(sequence, None) is not None:  # the caller was cancelled
                self._send(self.session.abandon(sequence))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        # Where there is no POLLRDHUP, the end of both directions is seen, or an error.
        self._hangup.register(transport.get_extra_info("socket"), getattr(select, "POLLRDHUP", 0))

    def get_buffer(self, sizehint: int) -> memoryview:
        large = self.session.receive_buffer()
        self._into_large = large is not None
        return self._buffer if large is None else large

    def buffer_updated(self, nbytes: int) -> None:
        if self._into_large:
            outcomes = self.session.received(nbytes)
        else:
            outcomes = self.session.feed(bytes(self._buffer[:nbytes]))
        for outcome in outcomes:
            future = self._futures.pop(outcome.sequence, None)
            if future is None or future.done():
                continue
            if outcome.error is None:
                future.set_result(outcome.value)
            else:
                future.set_exception(outcome.error)
        if (self.session.greeted or self.session.refusal) and not self._greeted.done():
            self._greeted.set_result(None)
        self._answer_pings()
        if self.session.error is not None:
            self._fail(f"the peer does not keep to the protocol: {self.session.error.message}")
            self.transport.abort()
        elif self.session.closing and not self._futures:
            self.transport.close()

    def eof_received(self) -> None:
        self._fail("the peer closed the connection before its answer")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection is gone: {exc}" if exc else "the connection was closed")
        self.resume_writing()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None
            self._answer_pings()

    def _expire(self, sequence: int) -> None:
        future = self._futures.pop(sequence, None)
        if future is not None and not future.done():
            self._send(self.session.abandon(sequence))
            future.set_exception(DeadlineExceeded("no answer in time; the call may have run"))

    def _fail(self, reason: str) -> None:
        self._end = self._end or reason
        futures, self._futures = self._futures, {}
        for future in futures.values():
            if not future.done():
                future.set_exception(ConnectionLost(reason, sent=not self.session.ended))

    def _answer_pings(self) -> None:
        if self._writable is None:  # else the session keeps the answers, up to a bound of its own
            self._send(self.session.replies())

    def _send(self, data: bytes) -> bool:
        """Whether any of it may have been sent: a transport tries at once, unless others' bytes wait."""
        if data and not self.transport.is_closing():
            self.transport.write(data)
        return not self.transport.is_closing()


async def _connect(address: Address, tls: Encryption | None, session: Session, limit: float) -> _Link:
    loop = asyncio.get_running_loop()

    def make() -> _Link:
        return _Link(session, limit)

    timeout = limit - loop.time()
    try:
        if isinstance(address, TcpAddress):
            connecting = loop.create_connection(
                make,
                address.host,
                address.port,
                ssl=tls.context if tls else None,
                server_hostname=tls.peer_name if tls else None,
            )
            _, link = await asyncio.wait_for(connecting, timeout)
        else:
            _, link = await asyncio.wait_for(loop.create_unix_connection(make, address.path), timeout)
            try:
                check_owner(address)
            except BaseException:
                link.transport.abort()
                raise
    except (asyncio.TimeoutError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer in time"
        raise unreachable(address, reason) from None
    return link
