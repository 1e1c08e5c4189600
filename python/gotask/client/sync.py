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

from ..errors import ConnectFailed, ConnectionLost, DeadlineExceeded, GoTaskError
from ..wire.address import UnixAddress
from .base import CHUNK, BaseClient, results
from .connect import connect
from .session import RETRIES, Outcome, Session, lost

# Calls of one `call_many` that are outstanding at a time, and bytes that wait to be sent.
WINDOW = 128
_OUTGOING = 1024 * 1024

# Reads, of what came while nobody called: beyond them the connection is not worth it.
_MAX_LATE_READS = 64

# Seconds; poll() takes no more.
_MAX_TIMEOUT = 2_000_000.0

# What a socket that is not to wait raises instead; TLS may want to read first in order to write.
_NOT_NOW = (BlockingIOError, SSLWantReadError, SSLWantWriteError)


class Client(BaseClient):
    """Calls methods at `address` (`unix:///path`, `tcp://host:port` or `tls://host:port`).

    timeout: seconds for a whole call, unless the call says otherwise; waiting for other threads' calls is part of it.
    connect_timeout: seconds for opening the connection. max_payload: bytes of the largest reply that is taken. key: the
    worker's, where it has one; Unix sockets need none. tls: for a `tls://` address.

    Threads may share a client; their calls then go one after the other. A call made in a signal handler while its thread is
    in another one has a connection of its own, and so has a child after a fork. A call that has certainly not run, since its
    connection ended before it was sent or the broker that took it is ending, is made again on a new connection.
    """

    def _begin(self) -> None:
        super()._begin()
        self._lock = threading.RLock()
        self._busy = False  # a call of the thread that has the lock is under way
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
        return results(self._run(list(calls), timeout), return_errors)

    def notify(self, method: str, payload: Any = None, timeout: float | None = None) -> None:
        """Returns once the broker has accepted the call; what comes of it is dropped (logged if it fails)."""
        self._run([(method, payload)], timeout, notify=True)[0].result()

    def close(self) -> None:
        """Closes the connection, once the call of another thread has ended; the next call opens another."""
        self._leave_parent()
        with self._lock:
            if self._busy and self._link is not None:  # in a signal handler
                self._link.broken = True
            else:
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
        seconds = self._timeout if timeout is None else timeout
        # Not a number counts as no time.
        deadline = time.monotonic() + (min(seconds, _MAX_TIMEOUT) if seconds > 0 else 0.0)
        self._leave_parent()
        if not self._lock.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            late = DeadlineExceeded(
                "another thread's call took all of this one's time, and it has not run: give each thread a client of its own"
            )
            return [Outcome(0, error=late)] * len(calls)
        try:
            if self._busy:
                return self._run_beside(calls, deadline, notify)
            self._busy = True
            try:
                return self._settle(calls, deadline, notify)
            finally:
                self._busy = False
        finally:
            self._lock.release()

    def _run_beside(self, calls: list[tuple[str, Any]], deadline: float, notify: bool) -> list[Outcome]:
        """Runs calls of a signal handler while the call that it interrupts has the connection."""
        other = object.__new__(Client)
        other.__dict__.update(self.__dict__, _link=None)
        try:
            return other._settle(calls, deadline, notify)
        finally:
            other._drop()

    def _settle(self, calls: list[tuple[str, Any]], deadline: float, notify: bool) -> list[Outcome]:
        """The outcomes of calls. Those that have certainly not run are tried again."""
        outcomes = [Outcome(0)] * len(calls)
        todo = list(range(len(calls)))
        for attempt in range(RETRIES + 1):
            try:
                settled = self._attempt([calls[place] for place in todo], deadline, notify)
            except GoTaskError as error:
                may_retry = isinstance(error, ConnectionLost) and not error.sent
                # What refused a call before says more than that there is nothing now.
                settled = [
                    outcomes[place]
                    if outcomes[place].error is not None and not may_retry
                    else Outcome(0, error=error, may_retry=may_retry)
                    for place in todo
                ]
            for place, outcome in zip(todo, settled):
                outcomes[place] = outcome
            todo = [place for place in todo if outcomes[place].may_retry]
            if not todo or time.monotonic() >= deadline:
                break
        return outcomes

    def _attempt(self, calls: list[tuple[str, Any]], deadline: float, notify: bool) -> list[Outcome]:
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
        if self._link is not None and self._link.stale():
            self._drop()
        if self._link is None:
            limit = min(deadline, time.monotonic() + self._connect_timeout)
            link = _Link(connect(self._address, self._tls, limit), self._session())
            try:
                if not isinstance(self._address, UnixAddress):
                    link.greet(limit)
            except BaseException:
                link.socket.close()
                raise
            self._link = link
        return self._link

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.socket.close()

    def _leave_parent(self) -> None:
        """After a fork the lock may be held by a thread that is not here, and the connection is the parent's.

        Closing this process's descriptor sends nothing to the peer, not even with TLS.
        """
        if self._pid != os.getpid():
            self._drop()
            self._begin()


class _Link:
    """A connected socket and its session."""

    def __init__(self, connected: socket.socket, session: Session) -> None:
        self.socket = connected
        self.session = session
        self.broken = False
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)
        self._outgoing = bytearray()
        self._appended = self._written = 0  # bytes, since the connection was opened
        # The greeting goes out together with the first call.
        self._append(session.greeting)

    def stale(self) -> bool:
        """Whether the peer has closed it, or means to, or sends without end what nobody has asked for."""
        try:
            for _ in range(_MAX_LATE_READS):
                if not self._poll.poll(0):
                    return self.session.closing
                self._receive()
        except ConnectionLost:
            pass
        return True

    def greet(self, deadline: float) -> None:
        """Waits until it is known whom we talk to."""
        try:
            while not self.session.greeted:
                self._send()
                if not self._wait(deadline):
                    self.broken = True
                    raise ConnectFailed(
                        "the peer did not answer the greeting in time: is it starting, or stuck?"
                    )
                self._receive()
                if self.session.refusal is not None:
                    raise self.session.refusal
        except ConnectionLost as failure:  # no call has been sent
            raise ConnectionLost(failure.message, sent=False) from None

    def run(self, calls: list[tuple[str, Any]], deadline: float, notify: bool) -> list[Outcome]:
        outcomes: list[Outcome | None] = [None] * len(calls)
        places: dict[int, int] = {}
        starts: dict[int, int] = {}  # where the frame of a call begins, by its place
        todo = iter(enumerate(calls))
        more = True
        try:
            while True:
                while more and len(places) < WINDOW and len(self._outgoing) < _OUTGOING:
                    remaining = deadline - time.monotonic()
                    if remaining <= 0:
                        break
                    place, (method, payload) = next(todo, (-1, ("", None)))
                    if place < 0:
                        more = False
                        break
                    try:
                        sequence, frame = self.session.call(method, payload, remaining, notify)
                    except GoTaskError as error:
                        outcomes[place] = Outcome(0, error=error)
                        continue
                    places[sequence] = place
                    starts[place] = self._appended
                    self._append(frame)
                if not places and not more:
                    break
                self._send()
                if not self._wait(deadline):
                    return self._late(outcomes, places, starts)
                for outcome in self._receive():
                    outcomes[places.pop(outcome.sequence)] = outcome
        except ConnectionLost as failure:
            self.broken = True
            return [
                outcome or lost(0, failure.message, not self.session.ended and self._is_sent(place, starts))
                for place, outcome in enumerate(outcomes)
            ]
        assert None not in outcomes
        return [outcome for outcome in outcomes if outcome is not None]

    def _late(
        self, outcomes: list[Outcome | None], places: dict[int, int], starts: dict[int, int]
    ) -> list[Outcome]:
        """The outcomes once the time is over."""
        sent = [self._is_sent(place, starts) for place in range(len(outcomes))]
        if self._outgoing:  # half a frame may be out: nothing can follow it
            self.broken = True
        else:
            for sequence in places:
                self._append(self.session.abandon(sequence))
            self._send()
            self.broken = bool(self._outgoing)
        late = DeadlineExceeded("no answer in time; the call may have run")
        unsent = DeadlineExceeded("the time was over before the call was sent; it has not run")
        return [
            outcome or Outcome(0, error=late if sent[place] else unsent)
            for place, outcome in enumerate(outcomes)
        ]

    def _is_sent(self, place: int, starts: dict[int, int]) -> bool:
        """Whether the peer may have seen anything of a call."""
        return starts.get(place, self._appended) < self._written

    def _append(self, frame: bytes) -> None:
        self._outgoing += frame
        self._appended += len(frame)

    def _send(self) -> None:
        """As much as the kernel takes now."""
        if len(self._outgoing) < CHUNK:  # else the session keeps them, up to a bound of its own
            self._append(self.session.replies())
        try:
            while self._outgoing:
                with memoryview(self._outgoing) as view:
                    sent = self.socket.send(view[:_OUTGOING])
                del self._outgoing[:sent]
                self._written += sent
        except _NOT_NOW:
            pass
        except OSError as error:
            raise ConnectionLost(f"the connection broke while sending: {error}", sent=False) from None

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
                data = self.socket.recv(CHUNK)
                count = len(data)
                outcomes = self.session.feed(data)
            else:
                count = self.socket.recv_into(buffer)
                outcomes = self.session.received(count)
        except _NOT_NOW:
            return []
        except OSError as error:
            raise ConnectionLost(f"the connection broke while an answer was awaited: {error}") from None
        if outcomes:
            return outcomes  # they were whole; what is wrong behind them shows the next time
        if self.session.error is not None:
            raise ConnectionLost(f"the peer does not keep to the protocol: {self.session.error.message}")
        if not count:
            raise ConnectionLost("the peer closed the connection before its answer")
        return outcomes
