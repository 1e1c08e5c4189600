"""One connection of the asyncio client: its session, its transport, and those who wait for answers."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from typing import Any, cast

from ..errors import ConnectFailed, ConnectionLost, DeadlineExceeded
from ..wire.address import Address, TcpAddress, check_owner
from ..wire.tls import Encryption
from .session import Session

_CHUNK = 64 * 1024

# Heartbeats of a broker on another machine: so many may be missed.
_MISSED = 3


class Link(asyncio.BufferedProtocol):
    """A connection and its session."""

    transport: asyncio.Transport

    def __init__(self, session: Session, greet_until: float) -> None:
        self.session = session
        self.loop = asyncio.get_running_loop()
        self._greeting = session.greeting  # sent together with the first call
        self._greet_until = greet_until
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._buffer = memoryview(bytearray(_CHUNK))
        self._into_large = False
        self._missed = 0  # heartbeats, since something came
        self._greeted: asyncio.Future[None] = self.loop.create_future()
        self._writable: asyncio.Future[None] | None = None
        self._hangup = select.poll()
        self._end = ""  # why there is no connection any more
        self.closed: asyncio.Future[None] = self.loop.create_future()

    @property
    def usable(self) -> bool:
        """Whether the peer takes calls. Asks the kernel, as the loop may not have seen the end yet."""
        return not self.session.closing and not self.transport.is_closing() and not self._hangup.poll(0)

    def abandon(self) -> None:
        """Closes this process's descriptor of the connection without sending anything, and without the loop.

        Something harmless takes the descriptor's number, which the transport still holds and will close.
        """
        descriptor = self.transport.get_extra_info("socket").fileno()
        if descriptor >= 0:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, descriptor, inheritable=False)
            os.close(null)

    async def greet(self, deadline: float) -> None:
        """Waits for the answer to the greeting."""
        self._send(self._greeting)
        self._greeting = b""
        limit = max(deadline - self.loop.time(), 0.0)
        await asyncio.wait([self._greeted, self.closed], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if self.session.refusal is not None:
            raise self.session.refusal
        if not self._greeted.done():
            if self.closed.done():
                raise ConnectionLost(f"{self._end}, instead of a greeting", sent=False)
            # Otherwise other callers may still wait for it.
            if self.loop.time() >= self._greet_until and not self._futures:
                self.transport.abort()
                await self.closed
            raise ConnectFailed("the peer did not answer the greeting in time: is it starting, or stuck?")

    async def writable(self, deadline: float) -> None:
        """Waits until what was written before has been read."""
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
        self._missed = 0
        if (self.session.greeted or self.session.refusal) and not self._greeted.done():
            self._greeted.set_result(None)
            every = self.session.peer.get("heartbeat")
            is_network = self.transport.get_extra_info("socket").family != socket.AF_UNIX
            if is_network and isinstance(every, int) and 0 < every < 3600:
                self.loop.call_later(every, self._listen, every)
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

    def _listen(self, every: int) -> None:
        """Gives the connection up where nothing came although three heartbeats were due while somebody waited."""
        if self.transport.is_closing():
            return
        self._missed = self._missed + 1 if self._futures else 0
        if self._missed > _MISSED:
            self._fail("nothing comes from the peer any more: its machine, or the network, is down")
            self.transport.abort()
        else:
            self.loop.call_later(every, self._listen, every)

    def _fail(self, reason: str) -> None:
        self._end = self._end or reason
        futures, self._futures = self._futures, {}
        for future in futures.values():
            if not future.done():
                future.set_exception(ConnectionLost(reason, sent=not self.session.ended))

    def _answer_pings(self) -> None:
        if self._writable is None:  # the session keeps at most a few answers meanwhile
            self._send(self.session.replies())

    def _send(self, data: bytes) -> bool:
        """Writes, unless the connection is closing. False: it is, so perhaps nothing was sent."""
        if data and not self.transport.is_closing():
            self.transport.write(data)
        return not self.transport.is_closing()


def unreachable(address: Address, reason: object) -> ConnectFailed:
    return ConnectFailed(f"cannot connect to {address}: {reason}: is the worker running?")


async def connect(address: Address, tls: Encryption | None, session: Session, limit: float) -> Link:
    loop = asyncio.get_running_loop()

    def make() -> Link:
        return Link(session, limit)

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
        if tls is not None and isinstance(error, ConnectionResetError):  # in the middle of TLS's handshake
            raise ConnectFailed(
                f"cannot connect to {address}: the peer closed the connection. It may take no TLS: write tcp:// if the worker"
                " listens so"
            ) from None
        reason = getattr(error, "strerror", None) or str(error) or "no answer in time"
        raise unreachable(address, reason) from None
    return link
