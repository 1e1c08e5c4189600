"""A client for asyncio: many calls at a time over one connection, opened on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from . import _protocol as wire
from ._address import Address, TcpAddress, parse_address
from ._errors import ConnectFailed, ConnectionLost, DeadlineExceeded, GoTaskError
from ._key import Key
from ._session import Outcome, Session
from ._tls import Encryption, Tls

_CHUNK = 64 * 1024


class AsyncClient:
    """Calls methods at `address` (`unix:///path`, `tcp://host:port`, `tls://host:port`), as many at a time as one likes.

    timeout: seconds for a whole call, unless the call says otherwise. connect_timeout: seconds for opening
    the connection. key: the worker's, where it has one; Unix sockets need none. tls: for a `tls://` address.
    It belongs to the event loop of its first call. Cancelling a task that waits cancels its call.
    """

    def __init__(
        self,
        address: str,
        timeout: float = 30.0,
        connect_timeout: float = 10.0,
        codec: int = wire.MSGPACK,
        max_payload: int = wire.MAX_PAYLOAD,
        key: str | bytes | None = None,
        tls: Tls = Tls(),
    ) -> None:
        self._address = parse_address(address)
        is_network = isinstance(self._address, TcpAddress)
        self._key = Key(key) if key is not None and is_network else None
        self._tls = tls.encryption(self._address)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._codec = codec
        self._max_payload = max_payload
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()

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
        outcomes = await asyncio.gather(*tasks)
        if return_errors:
            return [outcome.value if outcome.error is None else outcome.error for outcome in outcomes]
        return [outcome.result() for outcome in outcomes]

    async def notify(self, method: str, payload: Any = None, timeout: float | None = None) -> None:
        """Returns once the broker has accepted the call; what comes of it is dropped (logged if it fails)."""
        await self._call(method, payload, timeout, True)

    async def close(self) -> None:
        """Closes the connection; what still waits fails with ConnectionLost. The next call opens another."""
        link, self._link = self._link, None
        if link is not None:
            link.transport.close()
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
        deadline = loop.time() + (self._timeout if timeout is None else timeout)
        link = self._link
        if link is None or not link.usable:
            link = await self._open(deadline)
        if link.session.needs_greeting(payload, notify):
            await link.greet(min(deadline, loop.time() + self._connect_timeout))
        await link.writable(deadline)
        sequence, frame = link.session.call(method, payload, deadline - loop.time(), notify)
        return await link.exchange(sequence, frame, deadline)

    async def _open(self, deadline: float) -> _Link:
        loop = asyncio.get_running_loop()
        limit = min(deadline, loop.time() + self._connect_timeout)
        async with self._connecting:
            if self._link is None or not self._link.usable:
                session = Session(self._codec, self._max_payload, self._key)
                link = await _connect(self._address, self._tls, session, limit - loop.time())
                if isinstance(self._address, TcpAddress):
                    try:
                        await link.greet(limit)
                    except BaseException:
                        link.transport.abort()
                        raise
                self._link = link
            return self._link


class _Link(asyncio.BufferedProtocol):
    """A connection and its session."""

    transport: asyncio.Transport

    def __init__(self, session: Session) -> None:
        self.session = session
        self._greeting = session.greeting  # goes out together with the first call
        self._loop = asyncio.get_running_loop()
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._buffer = memoryview(bytearray(_CHUNK))
        self._into_large = False
        self._greeted: asyncio.Future[None] = self._loop.create_future()
        self._writable: asyncio.Future[None] | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def usable(self) -> bool:
        return not self.session.closing and not self.transport.is_closing()

    async def greet(self, deadline: float) -> None:
        """Waits until it is known whom we talk to."""
        self._send(self._greeting)
        self._greeting = b""
        limit = deadline - self._loop.time()
        await asyncio.wait([self._greeted, self.closed], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if self.session.refusal is not None:
            raise self.session.refusal
        if not self._greeted.done():
            if self.closed.done():
                raise ConnectionLost("the peer closed the connection instead of a greeting")
            self.transport.abort()
            await self.closed
            raise ConnectFailed("the peer did not answer the greeting in time: is it starting, or stuck?")

    async def writable(self, deadline: float) -> None:
        """Waits while the peer reads slower than we write."""
        while self._writable is not None:
            await asyncio.wait([self._writable], timeout=deadline - self._loop.time())
            if self._loop.time() >= deadline:
                raise DeadlineExceeded("the peer did not read the call in time; it has not run")

    async def exchange(self, sequence: int, frame: bytes, deadline: float) -> Any:
        """Sends a call and waits for its answer."""
        if self.transport.is_closing():
            self.session.abandon(sequence)
            raise ConnectionLost("the connection is closed", sent=False)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._futures[sequence] = future
        timer = self._loop.call_at(deadline, self._expire, sequence)
        try:
            self._send(self._greeting + frame)
            self._greeting = b""
            return await future
        finally:
            timer.cancel()
            if self._futures.pop(sequence, None) is not None:  # the caller was cancelled
                self._send(self.session.abandon(sequence))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

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
        self._send(self.session.replies())
        if self.session.error is not None:
            self._fail(f"the peer sent garbage: {self.session.error.message}")
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
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    def _expire(self, sequence: int) -> None:
        future = self._futures.pop(sequence, None)
        if future is not None and not future.done():
            self._send(self.session.abandon(sequence))
            future.set_exception(DeadlineExceeded("no answer in time; the call may have run"))

    def _fail(self, reason: str) -> None:
        futures, self._futures = self._futures, {}
        for future in futures.values():
            if not future.done():
                future.set_exception(ConnectionLost(reason, sent=not self.session.ended))

    def _send(self, data: bytes) -> None:
        if data and not self.transport.is_closing():
            self.transport.write(data)


async def _connect(address: Address, tls: Encryption | None, session: Session, timeout: float) -> _Link:
    loop = asyncio.get_running_loop()
    try:
        if isinstance(address, TcpAddress):
            connecting = loop.create_connection(
                lambda: _Link(session),
                address.host,
                address.port,
                ssl=tls.context if tls else None,
                server_hostname=tls.peer_name if tls else None,
            )
            _, link = await asyncio.wait_for(connecting, timeout)
        else:
            _, link = await asyncio.wait_for(
                loop.create_unix_connection(lambda: _Link(session), address.path), timeout
            )
    except (asyncio.TimeoutError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer in time"
        raise ConnectFailed(f"cannot connect to {address}: {reason}: is the worker running?") from None
    return link
