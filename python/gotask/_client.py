"""A client for programs without an event loop: one connection, opened on demand."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Iterable
from ssl import SSLSocket, SSLWantReadError, SSLWantWriteError
from types import TracebackType
from typing import Any

from . import _protocol as wire
from ._address import Address, TcpAddress, UnixAddress, parse_address
from ._arguments import Args
from ._key import Key
from ._errors import ConnectFailed, ConnectionLost, DeadlineExceeded, GoTaskError
from ._session import Outcome, Session
from ._tls import Encryption, Tls

__all__ = ["Args", "Client"]

# Calls of one `call_many` that are outstanding at a time, and bytes that wait to be sent.
WINDOW = 128
_OUTGOING = 1024 * 1024
_CHUNK = 64 * 1024

# What a socket that is not to wait raises instead; TLS may want to read first in order to write.
_NOT_NOW = (BlockingIOError, SSLWantReadError, SSLWantWriteError)


class Client:
    """Calls methods at `address` (`unix:///path`, `tcp://host:port` or `tls://host:port`).

    timeout: seconds for a whole call, unless the call says otherwise. connect_timeout: seconds for opening
    the connection. key: the worker's, where it has one; Unix sockets need none. tls: for a `tls://` address.
    Threads may share a client; their calls then go one after the other. After a fork the child opens a
    connection of its own.
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
        self._lock = threading.Lock()
        self._link: _Link | None = None

    def call(self, method: str, payload: Any = None, timeout: float | None = None) -> Any:
        """The method's result. Raises a GoTaskError: what the method raised is a RemoteError."""
        return self._run([(method, payload)], timeout)[0].result()

    def call_many(
        self, calls: Iterable[tuple[str, Any]], timeout: float | None = None, return_errors: bool = False
    ) -> list[Any]:
        """Runs (method, payload) pairs at the same time; their results in the same order.

        The first error is raised once all have ended; with `return_errors` each stands in its place instead.
        `timeout` is for all of them together.
        """
        outcomes = self._run(list(calls), timeout)
        if return_errors:
            return [outcome.value if outcome.error is None else outcome.error for outcome in outcomes]
        return [outcome.result() for outcome in outcomes]

    def notify(self, method: str, payload: Any = None, timeout: float | None = None) -> None:
        """Returns once the broker has accepted the call; what comes of it is dropped (logged if it fails)."""
        self._run([(method, payload)], timeout, notify=True)[0].result()

    def close(self) -> None:
        """Closes the connection; the next call opens another."""
        with self._lock:
            self._drop()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self._address} {'open' if self._link is not None else 'closed'}>"

    def _run(
        self, calls: list[tuple[str, Any]], timeout: float | None, notify: bool = False
    ) -> list[Outcome]:
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        with self._lock:
            link = self._open(deadline)
            try:
                if any(link.session.needs_greeting(payload, notify) for _, payload in calls):
                    link.greet(min(deadline, time.monotonic() + self._connect_timeout))
                return link.run(calls, deadline, notify)
            except BaseException:  # an interrupt, too, may have come with half a frame sent
                link.broken = True
                raise
            finally:
                if link.broken or link.session.closing:
                    self._drop()

    def _open(self, deadline: float) -> _Link:
        if self._link is not None and (self._link.pid != os.getpid() or self._link.stale()):
            self._drop()
        if self._link is None:
            limit = min(deadline, time.monotonic() + self._connect_timeout)
            session = Session(self._codec, self._max_payload, self._key)
            link = _Link(_connect(self._address, self._tls, limit), session)
            try:
                if not isinstance(self._address, UnixAddress):
                    link.greet(limit)
            except BaseException:
                link.socket.close()
                raise
            self._link = link
        return self._link

    def _drop(self) -> None:
        if self._link is not None:
            self._link.socket.close()
            self._link = None


class _Link:
    """A connected socket and its session."""

    def __init__(self, connected: socket.socket, session: Session) -> None:
        self.socket = connected
        self.session = session
        self.pid = os.getpid()
        self.broken = False
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)
        # The greeting goes out together with the first call.
        self._outgoing = bytearray(session.greeting)

    def stale(self) -> bool:
        """Whether the peer has closed it, or means to, since the last call."""
        try:
            while self._poll.poll(0):
                self._receive()
        except ConnectionLost:
            return True
        return self.session.closing

    def greet(self, deadline: float) -> None:
        """Waits until it is known whom we talk to."""
        while not self.session.greeted:
            self._send()
            if not self._wait(deadline):
                self.broken = True
                raise ConnectFailed("the peer did not answer the greeting in time: is it starting, or stuck?")
            self._receive()
            if self.session.refusal is not None:
                raise self.session.refusal

    def run(self, calls: list[tuple[str, Any]], deadline: float, notify: bool) -> list[Outcome]:
        outcomes: list[Outcome | None] = [None] * len(calls)
        places: dict[int, int] = {}
        todo = iter(enumerate(calls))
        more = True
        try:
            while True:
                while more and len(places) < WINDOW and len(self._outgoing) < _OUTGOING:
                    place, (method, payload) = next(todo, (-1, ("", None)))
                    if place < 0:
                        more = False
                        break
                    try:
                        remaining = deadline - time.monotonic()
                        sequence, frame = self.session.call(method, payload, remaining, notify)
                    except GoTaskError as error:
                        outcomes[place] = Outcome(0, error=error)
                        continue
                    places[sequence] = place
                    self._outgoing += frame
                if not places and not more:
                    break
                self._send()
                if not self._wait(deadline):
                    self._give_up(places)
                    break
                for outcome in self._receive():
                    outcomes[places.pop(outcome.sequence)] = outcome
        except ConnectionLost as lost:
            self.broken = True
            return [outcome or Outcome(0, error=lost) for outcome in outcomes]
        late = DeadlineExceeded("no answer in time; the call may have run")
        return [outcome or Outcome(0, error=late) for outcome in outcomes]

    def _give_up(self, places: dict[int, int]) -> None:
        if self._outgoing:  # half a frame may be out: nothing can follow it
            self.broken = True
            return
        for sequence in places:
            self._outgoing += self.session.abandon(sequence)
        self._send()
        self.broken = bool(self._outgoing)

    def _send(self) -> None:
        """As much as the kernel takes now."""
        self._outgoing += self.session.replies()
        try:
            while self._outgoing:
                with memoryview(self._outgoing) as view:
                    sent = self.socket.send(view[:_OUTGOING])
                del self._outgoing[:sent]
        except _NOT_NOW:
            pass
        except OSError as error:
            raise ConnectionLost(f"the connection broke while sending: {error}") from None

    def _wait(self, deadline: float) -> bool:
        """Until there is something to read, or room for what is to be written; False: too late."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        if isinstance(self.socket, SSLSocket) and self.socket.pending():
            return True  # it has been taken from the kernel already
        if not self._outgoing:
            return bool(self._poll.poll(remaining * 1000))
        self._poll.modify(self.socket, select.POLLIN | select.POLLOUT)
        try:
            return bool(self._poll.poll(remaining * 1000))
        finally:
            self._poll.modify(self.socket, select.POLLIN)

    def _receive(self) -> list[Outcome]:
        buffer = self.session.receive_buffer()
        try:
            if buffer is None:
                data = self.socket.recv(_CHUNK)
                count = len(data)
                outcomes = self.session.feed(data)
            else:
                count = self.socket.recv_into(buffer)
                outcomes = self.session.received(count)
        except _NOT_NOW:
            return []
        except OSError as error:
            reason = f"the connection broke while an answer was awaited: {error}"
            raise ConnectionLost(reason, sent=not self.session.ended) from None
        if self.session.error is not None:
            raise ConnectionLost(f"the peer sent garbage: {self.session.error.message}")
        if not count:
            reason = "the peer closed the connection before its answer"
            raise ConnectionLost(reason, sent=not self.session.ended)
        return outcomes


def _connect(address: Address, tls: Encryption | None, deadline: float) -> socket.socket:
    timeout = max(deadline - time.monotonic(), 0.001)
    try:
        if isinstance(address, TcpAddress):
            connected = socket.create_connection((address.host, address.port), timeout)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                connected = _encrypt(connected, tls, deadline)
        else:
            connected = socket.socket(socket.AF_UNIX)
            connected.settimeout(timeout)
            try:
                connected.connect(address.path)
            except BaseException:
                connected.close()
                raise
    except OSError as error:
        raise ConnectFailed(
            f"cannot connect to {address}: {error.strerror or error}: is the worker running?"
        ) from None
    connected.setblocking(False)
    return connected


def _encrypt(connected: socket.socket, tls: Encryption, deadline: float) -> socket.socket:
    try:
        connected.settimeout(max(deadline - time.monotonic(), 0.001))
        return tls.context.wrap_socket(connected, server_hostname=tls.peer_name)
    except BaseException:
        connected.close()
        raise
